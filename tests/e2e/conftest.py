"""End-to-end tests run on a whole loop of their own."""

from collections.abc import AsyncIterator

import pytest
from scene import Scene, running_scene


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Yield a running loop under traffic, its circuit closed and its feature healthy."""
    async with running_scene() as running:
        yield running
