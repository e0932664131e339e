"""The choice of tests of `make quick`, on this repository."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import grimp

from tests import quick

FINES = Path("services/circulation/rules/fines.py")


@cache
def graph() -> grimp.ImportGraph:
    return quick.imports()


def near(*changed: str) -> list[Path]:
    """Return the test files that changes touch, nearest first."""
    return [*quick.reaching([Path(one) for one in changed], graph())]


def test_a_rule_is_tested_by_its_importers_before_others() -> None:
    found = near(str(FINES))
    assert Path("tests/circulation/rules/test_fines.py") in found[:20]
    assert Path("tests/circulation/test_fines.py") in found[:20]


def test_a_subject_is_tested_by_the_files_named_after_it() -> None:
    assert Path("tests/notices/test_webhooks.py") in near(
        "services/notices/channels/rules/webhooks.py"
    )
    assert Path("tests/events/test_bookings.py") not in near("services/notices/feeds.py")


def test_a_template_is_tested_with_its_subject_and_a_page_with_the_documents() -> None:
    assert Path("tests/gateway/web/test_study_rooms.py") in near(
        "services/gateway/web/study_rooms/ballot.html"
    )
    assert near("docs/scaling.md") == [quick.DOCUMENTS]
    assert near("contracts/nothing.json") == []


def test_changed_tests_are_played_and_the_budget_ends_the_rest() -> None:
    changed = {FINES, Path("tests/journeys/test_reopening.py")}
    found = [*quick.reaching(changed, graph())]
    played = quick.choice(found, changed, 20)
    assert played[0] == Path("tests/journeys/test_reopening.py"), "it starts a whole system"
    assert sum(quick.seconds(test) for test in played[1:]) <= 20
    systems = [one for one in played[1:] if quick.SYSTEMS.search(one.read_text())]
    assert systems == []
    assert quick.choice(found, changed, 0) == played[:1]


def test_an_unknown_commit_is_named() -> None:
    command = [sys.executable, "-m", "tests.quick", "--since", "no-such-commit"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no-such-commit" in done.stderr
    assert len(done.stderr.splitlines()) == 1
