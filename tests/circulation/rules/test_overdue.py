"""Overdue loans: their fines and charges, and the notices before and after the due date."""

from dataclasses import replace
from datetime import date

import pytest

from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.charge import ChargeKind, assess
from services.circulation.rules.copy import Copy
from services.circulation.rules.due_date import fine, is_due_soon, notice_due_soon, overdue_notice
from services.circulation.rules.loan import check_out
from services.circulation.rules.patron import Patron
from services.circulation.rules.policy import Policy
from services.circulation.rules.suspension import FineSuspension

DEC_5, DEC_19 = date(2020, 12, 5), date(2020, 12, 19)
OPEN = Calendar("HKCL", "central")
WINTER = Closure("c1", date(2020, 12, 10), date(2021, 2, 19), "epidemic")
CLOSED = Calendar("HKCL", "central", closures=(WINTER,))
LOAN, _ = check_out(
    loan_id="l1",
    copy=Copy("k1", "t1", "30000000000017", "adult", "STPL"),
    patron=Patron("p1", "adult"),
    blocked=False,
    open_loans=0,
    policy=Policy(id="default"),
    calendar=OPEN,
    on=DEC_5,
)
"""A loan that is due on 19 December."""


def test_a_suspension_of_other_branches_frees_no_day() -> None:
    mobile = FineSuspension("s1", DEC_5, None, kinds=frozenset({"mobile"}))
    everywhere = FineSuspension("s2", DEC_5, None)
    assert fine(LOAN, OPEN, [mobile], date(2020, 12, 21)).amount_cents == 300
    assert fine(LOAN, OPEN, [mobile, everywhere], date(2020, 12, 21)).amount_cents == 0


def test_a_fine_is_a_charge_with_its_statement() -> None:
    owed = fine(LOAN, OPEN, (), date(2020, 12, 21))
    charge = assess("f1", LOAN, owed, date(2020, 12, 21))
    assert charge is not None
    assert (charge.kind, charge.amount_cents, charge.outstanding_cents) == (
        ChargeKind.FINE,
        300,
        300,
    )
    assert charge.statement == owed


def test_no_fine_is_no_charge() -> None:
    assert assess("f1", LOAN, fine(LOAN, OPEN, (), DEC_19), DEC_19) is None


@pytest.mark.parametrize(
    ("on", "had", "number"),
    [
        (date(2020, 12, 19), 0, None),  # the due date itself
        (date(2020, 12, 20), 0, 1),
        (date(2020, 12, 25), 1, None),
        (date(2020, 12, 26), 1, 2),
        (date(2020, 12, 26), 2, None),
        (date(2021, 1, 9), 0, 3),  # only the last of the missed notices
        (date(2021, 6, 1), 3, None),
    ],
)
def test_each_overdue_notice_is_sent_once_on_its_day(
    on: date, had: int, number: int | None
) -> None:
    loan = replace(LOAN, overdue_notices=had)  # due on 19 December
    assert overdue_notice(loan, OPEN, on, (1, 7, 21)) == number
    assert overdue_notice(loan, CLOSED, on, (1, 7, 21)) is None  # closed till February


@pytest.mark.parametrize(
    ("on", "soon"),
    [(date(2020, 12, day), soon) for day, soon in ((15, False), (16, True), (19, True))]
    + [(date(2020, 12, 20), False)],
)
def test_a_loan_is_due_soon_in_the_last_days_before_its_due_date(on: date, soon: bool) -> None:
    assert is_due_soon(LOAN, OPEN, on, 3) is soon
    assert not is_due_soon(notice_due_soon(LOAN, on=on), OPEN, on, 3)
    assert not is_due_soon(LOAN, CLOSED, on, 3)
