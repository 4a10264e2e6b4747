"""Two kinds of index, the same tests for both, and a proxy between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from real_indexes.proxy import Proxy, proxy
from real_indexes.servers import DevpiServer, PypiServer, Served, devpi_server, pypi_server


@pytest.fixture(scope="session")
def pypiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PypiServer]:
    with pypi_server(tmp_path_factory.mktemp("pypiserver")) as server:
        yield server


@pytest.fixture(scope="session")
def devpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevpiServer]:
    with devpi_server(tmp_path_factory.mktemp("devpi")) as server:
        yield server


@pytest.fixture(params=["pypiserver", "devpi"])
def served(request: pytest.FixtureRequest) -> Served:
    """An index of its own for the test, with nothing in it."""
    index: Served = request.getfixturevalue(request.param).new_index()
    return index


@pytest.fixture
def between(served: Served) -> Iterator[Proxy]:
    with proxy(served.origin) as state:
        yield state


@pytest.fixture
def behind(served: Served, between: Proxy) -> Served:
    """The index, as those see it who come through the proxy."""
    return served.behind(between.origin)


@pytest.fixture
def staging(devpi: DevpiServer) -> Served:
    """A second index, to try a release on."""
    return devpi.new_index()
