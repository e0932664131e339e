"""The fault matrix: cases add up, runs are kept together, the page is updated in place."""

from pathlib import Path

import pytest

from ops.audit.findings import Audit
from tests.faults import report

pytestmark = pytest.mark.embedded


@pytest.fixture(autouse=True)
def own_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the rows of these tests apart from those of the run."""
    monkeypatch.setattr(report, "_rows", {})
    monkeypatch.setattr(report, "KEPT", tmp_path / "faults.json")
    monkeypatch.setattr(report, "PAGE", tmp_path / "reliability.md")


def found(**counts: int) -> Audit:
    audit = Audit()
    audit.counts.update(counts)
    return audit


def run(fault: str, broker: str, recovery: float | None = None, **counts: int) -> None:
    """Simulate a run that tries one fault."""
    report._rows.clear()
    report.record(fault, broker, invariant="All holds", counts=counts, recovery=recovery)
    report.finish(lambda _: None)


def test_cases_of_one_fault_are_one_row() -> None:
    report.record("killed", "E", invariant="All holds", found=found(commands=10), recovery=1.23)
    report.record("killed", "E", invariant="All holds", found=found(commands=5), recovery=4.0)
    shown: list[str] = []
    report.finish(shown.append)
    assert shown[1:] == [
        "E  killed: All holds",
        "   2 cases, 15 commands; lost 0, doubled 0; recovery 4.0 s",
    ]


def test_audit_findings_are_counted_in_the_row() -> None:
    harmed = found()
    harmed.expect(False, "a loan is gone", lost=1)
    harmed.expect(False, "a copy has 3 open loans", doubled=2)
    report.record("killed", "E", invariant="All holds", found=harmed)
    shown: list[str] = []
    report.finish(shown.append)
    assert shown[2] == "   1 case; lost 1, doubled 2"


def test_a_run_replaces_its_own_rows_and_keeps_those_of_others() -> None:
    run("killed", "E", seeds=3)
    run("killed", "K", seeds=4)
    run("killed", "E", seeds=5)
    assert {(row.broker, row.counts["seeds"]) for row in report.load()} == {("E", 5), ("K", 4)}


def test_the_page_is_written_again_without_change() -> None:
    report.PAGE.write_text(f"before\n{report.BEGIN}\noutdated\n{report.END}\nafter\n")
    run("a broker killed", "K", recovery=2.06, commands=1200)
    report.write_page()
    once = report.PAGE.read_text()
    report.write_page()
    assert report.PAGE.read_text() == once
    assert once.startswith("before\n")
    assert once.endswith(f"\n{report.END}\nafter\n")
    assert "| a broker killed | K | All holds | 1,200 commands | 0 | 0 | 2.1 s |" in once
    assert "outdated" not in once
