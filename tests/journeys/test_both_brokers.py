"""The reopening story ends in the same state on the embedded broker and on Apache Kafka."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops.infrastructure.processes import system
from ops.scenario.demo import as_document
from ops.scenario.player import play
from tests.faults.report import record

pytestmark = pytest.mark.kafka

IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|RN-[0-9A-Z]{4}-[0-9A-Z]{4}")


async def played(folder: Path, broker: str) -> str:
    with system(folder, simulation=True, usual_ports=False, broker=broker) as running:
        report = await play(running)
    assert report.failures == []
    document: dict[str, Any] = as_document(report)
    del document["seconds"]
    return IDS.sub("id", orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


@pytest.mark.timeout(600)
async def test_both_brokers_end_in_the_same_state(tmp_path: Path) -> None:
    embedded = await played(tmp_path / "embedded", "embedded")
    apache = await played(tmp_path / "apache", "apache")
    record(
        "the reopening of 2021 on each broker",
        "K",
        invariant="both end in the same state, byte for byte but for ids",
        counts={"lines compared": len(embedded.splitlines())},
    )
    assert embedded.splitlines() == apache.splitlines()
