"""The load's checks find late answers, wrong answers and lost acknowledged results."""

import pytest

from ops.infrastructure.processes import System
from services.settings import Settings
from tests.faults.load import HUNG_SECONDS, UNANSWERED, Attempt, Load
from tests.library import Library
from tests.support import patient_client, until

pytestmark = pytest.mark.embedded


@pytest.mark.parametrize(
    ("status", "seconds", "says"),
    [
        pytest.param(200, HUNG_SECONDS + 0.1, "hung", id="an answer that no deadline ended"),
        pytest.param(503, HUNG_SECONDS + 0.1, "hung", id="a 503 that no deadline ended"),
        pytest.param(500, 0.1, "500", id="an answer that is neither done nor 503"),
        pytest.param(UNANSWERED, 0.1, "not answered", id="no answer"),
    ],
)
def test_a_late_or_unexpected_answer_is_reported(status: int, seconds: float, says: str) -> None:
    load = Load.__new__(Load)
    load.attempts = [Attempt("return", "k", 0.0, 0.5, 503), Attempt("return", "k", 1.0, 0.5, 200)]
    load.check_answers()
    load.attempts.append(Attempt("return", "k", 1.25, seconds, status))
    with pytest.raises(AssertionError, match=says):
        load.check_answers()
    load.check_answers(gateway_away=[(1.2, 1.3)])
    with pytest.raises(AssertionError, match=says):
        load.check_answers(gateway_away=[(0.0, 1.0), (20.0, 21.0)])


def test_a_gap_lasts_from_one_success_to_the_next_or_to_an_end() -> None:
    load = Load.__new__(Load)
    load.attempts = [
        Attempt("return", str(at), at - 0.5, 0.5, 503 if at == 5 else 200)
        for at in (1.0, 2.0, 5.0, 9.0)
    ]
    assert load.succeeded() == 3
    assert load.longest_gap(0.5, until=9.5) == 7.0
    assert load.longest_gap(2.0, until=20.0) == 11.0
    assert load.first_success(3.0) == 6.0


async def test_a_load_runs_all_its_kinds_and_finds_a_missing_acknowledged_loan(
    running: System, library: Library
) -> None:
    async with Load(library, rate=40) as load:

        async def reopened() -> bool:
            return load.succeeded(kind="reopening") > 4

        await until(reopened, within=30)
    load.check_answers()
    assert {attempt.kind for attempt in load.attempts} == {
        *("check-out", "renewal", "return", "overview", "registration", "log-in"),
        *("preferences", "closure", "reopening", "activity"),
    }
    found = await load.audited()
    assert found.findings == []
    assert (found.lost, found.doubled) == (0, 0)

    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)
    loans = client[f"{settings.database_prefix}_circulation"].loans
    loan = await loans.find_one_and_delete({"state": "returned"})
    assert loan is not None
    await loans.insert_one({**loan, "_id": "twin"})
    client.close()
    findings = (await load.audited()).findings
    assert any(f"loan {loan['_id']}" in text and "not there" in text for text in findings)
    assert any("loan twin was made once more" in text for text in findings)
