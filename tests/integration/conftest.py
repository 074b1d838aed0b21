"""One set of real servers for the whole run; each test keeps to keys of its own."""

from collections.abc import Iterator

import pytest
from real_servers import RealServers, real_servers

from tailslide_embedded.stack import Endpoints


@pytest.fixture(scope="session")
def running_servers() -> Iterator[RealServers]:
    with real_servers() as running:
        yield running


@pytest.fixture(scope="session")
def servers(running_servers: RealServers) -> Endpoints:
    return running_servers.endpoints
