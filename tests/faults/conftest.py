"""Faults happen to a whole loop of their own."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from scene import Scene, running_scene

# What hostile clients do is written once, for the benchmark that measures it and for the tests of what must hold.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Yield a running loop under traffic, its circuit closed and its feature healthy."""
    async with running_scene() as running:
        yield running
