"""The reopening story ends in the same state on the embedded broker and on Apache Kafka."""

from pathlib import Path

import pytest

from ops.scenario.player import play
from tests.conftest import APACHE
from tests.faults.report import record
from tests.journeys.end_state import end_state, kept
from tests.systems import SECURED, system_in

pytestmark = pytest.mark.kafka


async def played(folder: Path, broker: str) -> str:
    with system_in(folder, broker=broker) as running:
        report = await play(running)
    assert report.failures == []
    return end_state(report)


async def test_both_brokers_end_in_the_same_state(tmp_path: Path) -> None:
    apache = await played(tmp_path / "apache", APACHE)
    embedded = kept() or await played(tmp_path / "embedded", "embedded")
    record(
        "the reopening of 2021 on each broker",
        "S" if APACHE == SECURED else "K",
        invariant="both end in the same state, byte for byte but for ids",
        counts={"lines compared": len(embedded.splitlines())},
    )
    assert embedded.splitlines() == apache.splitlines()
