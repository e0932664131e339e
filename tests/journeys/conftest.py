"""One system for all journeys: each test works in branches and with patrons of its own."""

from collections.abc import Iterator

import pytest

from ops.infrastructure.processes import System
from tests.conftest import BROKER
from tests.systems import started_system


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Database, broker and the five services as processes, in simulation."""
    with started_system(tmp_path_factory, broker=BROKER) as started:
        yield started
