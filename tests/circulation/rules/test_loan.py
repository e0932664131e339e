"""The states of a loan: check-out, renewal, moved due dates, return, and refusals."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.circulation import refusals
from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.copy import Copy, CopyState, take_back
from services.circulation.rules.due_date import is_overdue, move_due, notice_overdue
from services.circulation.rules.loan import (
    DueMove,
    Loan,
    LoanState,
    check_out,
    check_reported_return,
    give_back,
    renew,
    renewals_left,
)
from services.circulation.rules.patron import Patron, is_blocked
from services.circulation.rules.policy import Policy

POLICY = Policy(id="default")
PATRON = Patron("p1", "adult")
COPY = Copy("k1", "t1", "30000000000017", "adult", "STPL")
NOW = datetime(2020, 12, 9, 4, tzinfo=UTC)
DEC_5, DEC_12, DEC_19, FEB_19 = (
    date(2020, 12, 5),
    date(2020, 12, 12),
    date(2020, 12, 19),
    date(2021, 2, 19),
)
WINTER = Closure("c1", date(2020, 12, 10), FEB_19, "epidemic")


def calendar(*closures: Closure) -> Calendar:
    return Calendar("HKCL", "central", closures=closures)


OPEN = calendar()


def lent(
    on: date = DEC_5,
    *,
    cal: Calendar = OPEN,
    copy: Copy = COPY,
    policy: Policy = POLICY,
    open_loans: int = 0,
    blocked: bool = False,
) -> Loan:
    return check_out(
        loan_id="l1",
        copy=copy,
        patron=PATRON,
        blocked=blocked,
        open_loans=open_loans,
        policy=policy,
        calendar=cal,
        on=on,
    )[0]


def renewed(
    loan: Loan, on: date, *, cal: Calendar = OPEN, queue: int = 0, blocked: bool = False
) -> Loan:
    return renew(loan, on=on, calendar=cal, queue=queue, blocked=blocked)


def moved(loan: Loan, cal: Calendar) -> Loan:
    return move_due(loan, calendar=cal, cause=WINTER.cause, at=NOW)


def returned(loan: Loan, on: date) -> Loan:
    return give_back(loan, on=on, branch_code="TMPL", channel="book-drop")


# ---- check-out ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cal", "due_on"),
    [
        (OPEN, DEC_19),
        (calendar(WINTER), FEB_19),
        (calendar(replace(WINTER, reopened_on=None)), DEC_19),
    ],
    ids=["open", "closed: its next open day", "closed with no end: the announcement moves it"],
)
def test_a_loan_is_due_after_its_period(cal: Calendar, due_on: date) -> None:
    assert lent(cal=cal).due_on == due_on


def test_a_loan_keeps_its_lending_branch_and_policy_row() -> None:
    loan = lent(policy=replace(POLICY, version=7))
    assert (loan.branch_code, loan.branch_kind, loan.policy.version) == ("HKCL", "central", 7)


@pytest.mark.parametrize(
    ("terms", "refusal", "code"),
    [
        ({"open_loans": 10}, refusals.LoanLimit, "loan-limit"),
        ({"blocked": True}, refusals.PatronBlocked, "patron-blocked"),
        ({"copy": replace(COPY, state=CopyState.ON_LOAN)}, refusals.CopyOnLoan, "copy-on-loan"),
        ({"copy": replace(COPY, state=CopyState.LOST)}, refusals.CopyLost, "copy-lost"),
    ],
)
def test_a_check_out_that_breaks_a_rule_is_refused(
    terms: dict[str, object], refusal: type[refusals.Refusal], code: str
) -> None:
    with pytest.raises(refusal) as refused:
        lent(**terms)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert refused.value.reason.endswith(".")


def test_the_tenth_loan_is_allowed() -> None:
    assert lent(open_loans=9).state is LoanState.OPEN


def test_a_copy_is_on_loan_from_check_out_to_return() -> None:
    _, gone = check_out(
        loan_id="l1",
        copy=COPY,
        patron=PATRON,
        blocked=False,
        open_loans=0,
        policy=POLICY,
        calendar=OPEN,
        on=DEC_5,
    )
    assert gone.state is CopyState.ON_LOAN
    back = take_back(gone, DEC_19, branch_code="HKCL")
    assert (back.state, back.version) == (CopyState.AVAILABLE, 3)
    with pytest.raises(refusals.CopyNotOnLoan):
        take_back(back, DEC_19, branch_code="HKCL")


@pytest.mark.parametrize(
    ("by_accounts", "owed", "blocked"),
    [(False, 0, False), (True, 0, True), (False, 1, True)],
    ids=["clear", "blocked by accounts", "owing"],
)
def test_a_patron_is_blocked_by_accounts_or_by_debt(
    by_accounts: bool, owed: int, blocked: bool
) -> None:
    assert is_blocked(replace(PATRON, blocked=by_accounts), owed, POLICY) is blocked


# ---- renewal ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "cal", "due_on"),
    [
        (date(2020, 12, 15), OPEN, date(2020, 12, 29)),
        (date(2020, 12, 15), calendar(WINTER), FEB_19),
        (date(2020, 12, 15), calendar(replace(WINTER, reopened_on=None)), date(2020, 12, 29)),
        (date(2020, 12, 30), OPEN, date(2021, 1, 13)),
    ],
    ids=["early", "into a closure", "into one with no end", "overdue"],
)
def test_a_renewal_counts_from_its_own_day(on: date, cal: Calendar, due_on: date) -> None:
    loan = renewed(lent(), on, cal=cal)
    assert (loan.due_on, loan.renewals, loan.version) == (due_on, 1, 2)
    assert loan.policy_renewals_left == 4


@pytest.mark.parametrize(
    ("loan", "on", "cal"),
    [
        (lent(), DEC_5, OPEN),
        (renewed(lent(), DEC_12), DEC_12, OPEN),
        (lent(cal=calendar(WINTER)), date(2021, 1, 1), calendar(WINTER)),
        (replace(lent(), due_on=FEB_19), date(2021, 1, 1), OPEN),
    ],
    ids=["on the day of check-out", "twice a day", "into the same closure", "moved far ahead"],
)
def test_a_renewal_without_a_later_due_date_is_refused(loan: Loan, on: date, cal: Calendar) -> None:
    with pytest.raises(refusals.NothingToGain) as refused:
        renewed(loan, on, cal=cal)
    assert refused.value.code == "nothing-to-gain"


def test_the_renewal_of_1_march_2021_is_due_15_march() -> None:
    assert renewed(lent(cal=calendar(WINTER)), date(2021, 3, 1)).due_on == date(2021, 3, 15)


@pytest.mark.parametrize(
    ("loan", "terms", "refusal", "code"),
    [
        (lent(), {"queue": 1}, refusals.HoldWaiting, "hold-waiting"),
        (lent(), {"blocked": True}, refusals.PatronBlocked, "patron-blocked"),
        (replace(lent(), renewals=5), {}, refusals.RenewalLimit, "renewal-limit"),
        (replace(lent(), state=LoanState.LOST), {}, refusals.LoanLost, "loan-lost"),
        (returned(lent(), DEC_19), {}, refusals.LoanNotOpen, "loan-not-open"),
    ],
)
def test_a_renewal_that_breaks_a_rule_is_refused(
    loan: Loan, terms: dict[str, int], refusal: type[refusals.Refusal], code: str
) -> None:
    with pytest.raises(refusal) as refused:
        renewed(loan, DEC_19, **terms)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_five_renewals_are_allowed_and_no_sixth() -> None:
    loan = lent()
    for day in range(6, 11):
        loan = renewed(loan, date(2020, 12, day))
    with pytest.raises(refusals.RenewalLimit, match="limit for this item: 5"):
        renewed(loan, date(2020, 12, 11))


def test_a_closure_grants_more_renewals_while_it_lasts() -> None:
    relief = calendar(replace(WINTER, extra_renewals=1))
    loan = replace(lent(), renewals=5)
    within, after = WINTER.starts_on, FEB_19
    with pytest.raises(refusals.RenewalLimit, match="limit for this item: 5"):
        renewed(loan, after, cal=relief)
    once_more = renewed(loan, within, cal=relief)
    assert (once_more.renewals, once_more.policy_renewals_left) == (6, 0)
    with pytest.raises(refusals.RenewalLimit, match="limit for this item: 6"):
        renewed(once_more, within, cal=relief)
    assert [renewals_left(loan, relief, on) for on in (within, after)] == [1, 0]
    assert [renewals_left(once_more, relief, on) for on in (within, after)] == [0, 0]
    assert renewals_left(returned(lent(), DEC_19), relief, within) == 0


# ---- due dates that move ------------------------------------------------------------------------


def test_a_closure_moves_a_due_date_to_the_reopening_and_keeps_the_move() -> None:
    loan = moved(lent(), calendar(WINTER))
    assert loan.due_on == FEB_19
    assert loan.moves == (DueMove(DEC_19, FEB_19, WINTER.cause, NOW, announced=1),)


@pytest.mark.parametrize(
    "cal",
    [
        OPEN,
        calendar(replace(WINTER, reopened_on=None)),
        calendar(replace(WINTER, reopened_on=DEC_5)),
    ],
    ids=["open that day", "no end announced", "reopened before"],
)
def test_a_due_date_on_an_open_day_does_not_move(cal: Calendar) -> None:
    loan = lent()
    assert moved(loan, cal) is loan


def test_a_due_date_moved_by_a_longer_closure_stays_when_it_is_cut_short() -> None:
    loan = moved(lent(), calendar(WINTER))
    assert moved(loan, calendar(replace(WINTER, reopened_on=date(2021, 1, 4)))).due_on == FEB_19


def test_a_moved_due_date_gets_new_overdue_notices() -> None:
    noticed = notice_overdue(lent(), on=date(2020, 12, 20), number=2)
    assert noticed.overdue_noticed_on == date(2020, 12, 20)
    for afresh in (moved(noticed, calendar(WINTER)), renewed(noticed, date(2020, 12, 21))):
        assert (afresh.overdue_noticed_on, afresh.overdue_notices) == (None, 0)


# ---- overdue and back ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cal", "on", "overdue"),
    [
        (OPEN, DEC_19, False),
        (OPEN, date(2020, 12, 20), True),
        (calendar(WINTER), date(2020, 12, 20), False),
        (calendar(WINTER), FEB_19, False),
        (calendar(WINTER), date(2021, 2, 20), True),
        (calendar(replace(WINTER, reopened_on=None)), date(2031, 1, 1), False),
        (calendar(replace(WINTER, starts_on=date(2020, 12, 20))), date(2020, 12, 20), True),
    ],
    ids=[
        "the due date",
        "the day after",
        "while closed",
        "the reopening day",
        "the day after reopening",
        "no end announced",
        "due the day before it closed",
    ],
)
def test_a_loan_is_overdue_after_the_first_open_day_from_its_due_date(
    cal: Calendar, on: date, overdue: bool
) -> None:
    assert is_overdue(lent(), cal, on) is overdue


def test_a_returned_loan_is_not_overdue() -> None:
    assert not is_overdue(returned(lent(), date(2020, 12, 30)), OPEN, date(2020, 12, 31))


def test_a_return_may_be_at_any_branch_and_back_dated() -> None:
    loan = returned(lent(), DEC_5)
    assert (loan.state, loan.returned_on, loan.returned_branch, loan.returned_through) == (
        LoanState.RETURNED,
        DEC_5,
        "TMPL",
        "book-drop",
    )


def test_a_return_before_the_loan_is_refused() -> None:
    with pytest.raises(refusals.ReturnedBeforeBorrowed, match="2020-12-05"):
        returned(lent(), date(2020, 12, 4))


def test_a_lost_item_can_still_be_returned() -> None:
    assert returned(replace(lent(), state=LoanState.LOST), DEC_19).state is LoanState.RETURNED


@pytest.mark.parametrize("state", [LoanState.RETURNED, LoanState.LOST])
def test_an_ended_loan_is_not_moved_and_gets_no_overdue_notice(state: LoanState) -> None:
    ended = replace(lent(), state=state)
    with pytest.raises((refusals.LoanNotOpen, refusals.LoanLost)):
        moved(ended, calendar(WINTER))
    with pytest.raises((refusals.LoanNotOpen, refusals.LoanLost)):
        notice_overdue(ended, on=DEC_19, number=1)


@pytest.mark.parametrize(
    ("recorded_after", "reported", "refused"),
    [
        (timedelta(minutes=1), None, True),
        (timedelta(minutes=-1), None, False),
        (timedelta(days=40), None, False),  # back-dated: its time is not known
        (timedelta(hours=2), timedelta(hours=-1), False),  # settled late, lent before
        (timedelta(hours=2), timedelta(hours=1), True),
    ],
)
def test_a_return_reported_late_is_refused_if_a_loan_of_its_day_began_after_it(
    recorded_after: timedelta, reported: timedelta | None, refused: bool
) -> None:
    at = datetime(2020, 12, 5, 4, tzinfo=UTC)
    loan = replace(lent(), lent_at=at + reported if reported else None)
    check_reported_return(loan, DEC_12, at, at + recorded_after)
    if not refused:
        check_reported_return(loan, DEC_5, at, at + recorded_after)
        return
    with pytest.raises(refusals.LentThatDay):
        check_reported_return(loan, DEC_5, at, at + recorded_after)
