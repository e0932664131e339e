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

from services.circulation.charges.commands import payments
from services.circulation.closures import commands as closures_commands
from services.circulation.holds import store as holds_store
from services.circulation.loans.commands import renew as renewals
from services.circulation.loans.commands import return_copies
from services.circulation.rules import due_date, hold_queue
from services.circulation.rules import fines as fines_rules
from services.circulation.rules import ledger as ledger_rules
from services.circulation.rules import loan as loan_rules
from services.circulation.rules.due_date import CurrentLoan
from services.circulation.rules.fines import Late, Span
from services.circulation.rules.hold_queue import Waiting
from services.circulation.rules.ledger import Posting
from services.circulation.rules.loan import Loan
from services.circulation.rules.policy import Policy
from shared.unit_of_work import Work
from tests.circulation.compared_library import World
from tests.circulation.test_state import play

Mutate = Callable[[pytest.MonkeyPatch], None]


def renewal_limit_is_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def renew(loan: Loan, **terms: Any) -> Loan:
        more = replace(loan.policy, renewals_allowed=loan.policy.renewals_allowed + 1)
        return replace(loan_rules.renew(replace(loan, policy=more), **terms), policy=loan.policy)

    monkeypatch.setattr(renewals, "renew", renew)


def last_come_is_first_served(monkeypatch: pytest.MonkeyPatch) -> None:
    of_queues = holds_store.of_queues

    def backwards(work: Work, title_ids: Collection[str]) -> dict[str, list[Waiting]]:
        queues = of_queues(work, title_ids)
        return {title_id: list(queue)[::-1] for title_id, queue in queues.items()}

    monkeypatch.setattr(holds_store, "of_queues", backwards)


def returns_serve_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any, freed: Any, in_hand: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(return_copies, "hand_out", nobody)


def payments_count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def pay(charge: Any, cents: int, occasion: Any) -> Posting:
        return ledger_rules.pay(charge, 2 * cents, occasion)

    monkeypatch.setattr(payments, "pay", pay)


def closures_move_no_due_date(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_they_are(*_: Any) -> dict[str, CurrentLoan]:
        return {}

    monkeypatch.setattr(closures_commands, "current_loans", as_they_are)


def errors_are_not_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_date, "_restored", lambda loan, *_: loan)


def fines_have_no_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    price = fines_rules._price

    def without(spans: list[Span], policy: Policy, late: Late | None) -> Any:
        return price(spans, replace(policy, fine_cap_cents=None), late)

    monkeypatch.setattr(fines_rules, "_price", without)


def fines_are_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closures_commands, "worked_out_again", lambda *_: None)


def closures_leave_the_shelf_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold_queue, "shelf_end", lambda hold, *_: hold.shelf_until)


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
