"""The reopening of 2021, played on the whole system."""

from collections.abc import Iterator

import orjson
import pytest

from ops.infrastructure.processes import System
from ops.scenario.demo import as_document
from ops.scenario.player import play
from tests.conftest import BROKER
from tests.systems import started_system


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of this file's own: the scenario names libraries and suspends all fines."""
    with started_system(tmp_path_factory, broker=BROKER) as started:
        yield started


@pytest.mark.embedded  # test_both_brokers.py plays it on Apache Kafka
async def test_every_expectation_of_the_scenario_holds(running: System) -> None:
    report = await play(running)

    assert report.failures == []
    assert len(report.checks) > 300
    assert orjson.dumps(as_document(report))
