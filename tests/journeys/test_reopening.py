"""The reopening of 2021, played on the whole system."""

import orjson

from ops.demo import as_document
from ops.processes import System
from ops.scenario import play


async def test_every_expectation_of_the_scenario_holds(running: System) -> None:
    report = await play(running)

    failed = [
        f"{step.at} {step.do}: {check.what}: expected {check.expected}, found {check.found}"
        for step in report.steps
        for check in step.checks
        if not check.holds
    ]
    assert failed == []
    assert len(report.checks) > 300
    assert orjson.dumps(as_document(report))
