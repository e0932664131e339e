"""The state model test finds wrong rules in the stories that it plays.

One function of the service is made wrong at a time. `make test-mutants` plays them all; it takes
some minutes, so `make test` leaves it out.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis.errors import Flaky

from services.circulation import store
from services.circulation.domain import due_date, fines, hold_shelf, ledger
from services.circulation.domain import loan as loans
from services.circulation.domain.due_date import CurrentLoan
from services.circulation.domain.fines import Span
from services.circulation.domain.hold_queue import Waiting
from services.circulation.domain.ledger import Posting
from services.circulation.domain.loan import Loan
from services.circulation.domain.policy import Policy
from services.circulation.usecases.commands import (
    advance_payment,
    move_due_dates,
    renew_loan,
    return_copies,
    rework_fines,
)
from shared.unit_of_work import Work
from tests.circulation.compared_library import World
from tests.circulation.test_state import play

Mutate = Callable[[pytest.MonkeyPatch], None]


def renewal_limit_is_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def renew(loan: Loan, **terms: Any) -> Loan:
        more = replace(loan.policy, renewals_allowed=loan.policy.renewals_allowed + 1)
        return replace(loans.renew(replace(loan, policy=more), **terms), policy=loan.policy)

    monkeypatch.setattr(renew_loan, "renew", renew)


def last_come_is_first_served(monkeypatch: pytest.MonkeyPatch) -> None:
    of_queues = store.facts.of_queues

    def backwards(work: Work, title_ids: Collection[str]) -> dict[str, list[Waiting]]:
        queues = of_queues(work, title_ids)
        return {title_id: list(queue)[::-1] for title_id, queue in queues.items()}

    monkeypatch.setattr(store.facts, "of_queues", backwards)


def returns_serve_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_: Any, freed: Any, in_hand: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(return_copies, "hand_out", nobody)


def payments_count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def pay(charge: Any, cents: int, occasion: Any) -> Posting:
        return ledger.pay(charge, 2 * cents, occasion)

    monkeypatch.setattr(advance_payment, "pay", pay)


def closures_move_no_due_date(monkeypatch: pytest.MonkeyPatch) -> None:
    async def as_they_are(*_: Any) -> dict[str, CurrentLoan]:
        return {}

    monkeypatch.setattr(move_due_dates, "current_loans", as_they_are)


def errors_are_not_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_date, "_restored", lambda loan, *_: loan)


def fines_have_no_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    price = fines._price

    def without(spans: list[Span], policy: Policy) -> Any:
        return price(spans, replace(policy, fine_cap_cents=None))

    monkeypatch.setattr(fines, "_price", without)


def fines_are_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rework_fines, "worked_out_again", lambda *_: None)


def closures_leave_the_shelf_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_shelf, "shelf_end", lambda hold, *_: hold.shelf_until)


MUTANTS: Sequence[Mutate] = (
    renewal_limit_is_one_more,
    last_come_is_first_served,
    returns_serve_nobody,
    payments_count_twice,
    closures_move_no_due_date,
    errors_are_not_corrected,
    fines_have_no_cap,
    fines_are_not_worked_out_again,
    closures_leave_the_shelf_as_it_is,
)


STORIES = 40
"""Greatest number of stories to play. `make test` plays six, which are others in each run."""


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__.replace("_", " "))
def test_the_function_that_is_made_wrong_is_still_there(
    monkeypatch: pytest.MonkeyPatch, mutate: Mutate
) -> None:
    """`make test` notices a renamed function, although it plays no story of a mutant."""
    mutate(monkeypatch)


@pytest.mark.mutants
@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__.replace("_", " "))
def test_a_broken_rule_is_detected_within_forty_stories(
    mongo_url: str, database: str, monkeypatch: pytest.MonkeyPatch, mutate: Mutate
) -> None:
    """The stories are the same in each run, so that the result does not depend on luck."""
    mutate(monkeypatch)
    world = World(mongo_url, database)
    happened: Counter[str] = Counter()
    try:
        # Barcodes and ids are new each time, so a replayed story may end differently (Flaky).
        with pytest.raises((AssertionError, Flaky)):
            play(world, happened, stories=STORIES, derandomize=True, database=None)
    finally:
        world.close()
    print(f"found after {happened['step']} steps")  # noqa: T201 - pytest -s shows it
