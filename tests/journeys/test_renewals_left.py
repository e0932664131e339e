"""Renewals left on a loan: circulation's limit and the account's number agree."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.circulation.closures.commands import calendar_of
from services.circulation.loans import events as loans_events
from services.circulation.rules.loan import Loan, renewals_left
from services.circulation.rules.policy import Policy
from services.gateway.views.overview import overview
from services.gateway.views.projection import fold
from services.gateway.views.store.reads import Branch, Common
from services.gateway.views.store.schema import Row, ViewChange
from shared.contracts.calendars import Announcement, ClosureOut
from shared.contracts.notices import BranchClosed

pytestmark = pytest.mark.embedded  # it needs no broker

FIRST = date(2020, 12, 1)
NOW = datetime(2020, 12, 1, 4, tzinfo=UTC)
DAYS = st.integers(0, 40).map(lambda days: FIRST + timedelta(days=days))
SAID = st.tuples(DAYS, st.none() | DAYS, st.booleans())
"""A closure as announced: its first day, its first open day, whether it is an error."""
ANNOUNCED = st.lists(SAID, min_size=1, max_size=3)
CLOSURES = st.lists(st.tuples(ANNOUNCED, st.integers(0, 3)), max_size=4)


def closure(number: int, announced: list[tuple[date, date | None, bool]], extra: int) -> ClosureOut:
    return ClosureOut(
        closure_id=f"closure-{number}",
        from_=announced[-1][0],
        reason="epidemic",
        announcements=tuple(
            Announcement(
                version=number + turn,
                at=NOW,
                from_=starts_on,
                # An error is withdrawn: the closure has no days left.
                reopened_on=starts_on if in_error else reopened_on,
                in_error=in_error,
            )
            for turn, (starts_on, reopened_on, in_error) in enumerate(announced, start=1)
        ),
        extra_renewals=extra,
    )


def shown(loan: Loan, told: BranchClosed, day: date) -> Any:
    """Return the renewals left that `GET /v1/me` shows, worked out from events alone."""
    renewed = loans_events.renewed(loan, previous_due_on=loan.due_on, reference="RN-1")
    [change] = fold(renewed, NOW)
    [row] = fold(told, NOW)
    assert isinstance(change, ViewChange)
    assert isinstance(row, Row)
    account = overview(
        {"loans": {loan.id: {**change.content, "title": "Factory In and Out"}}},
        patron_id=loan.patron_id,
        name="Chan Mei-ling",
        midnight=datetime.combine(day, time(), UTC),
        common=Common({told.branch: Branch(told.version, row.content["relief"])}, 0),
        activities={},
        positions={},
        accruing=(),
        live=dict.fromkeys(("accounts", "circulation", "events", "notices"), True),
    )
    [one] = account["loans"]
    return one["renewals_left"]


@settings(max_examples=500, deadline=None)
@given(closures=CLOSURES, renewals=st.integers(0, 9), day=DAYS)
def test_the_account_and_the_loan_show_the_same_renewals_left_under_any_closures(
    closures: list[tuple[list[tuple[date, date | None, bool]], int]], renewals: int, day: date
) -> None:
    told = BranchClosed(
        version=99,
        branch="HKCL",
        name="Hong Kong Central Library",
        kind="central",
        hours=(),
        closures=tuple(closure(10 * i, *one) for i, one in enumerate(closures)),
        closure_id="closure-0",
    )
    loan = Loan(
        id="loan-1",
        patron_id="patron-1",
        patron_category="adult",
        title_id="title-1",
        copy_id="copy-1",
        barcode="B1",
        copy_category="adult",
        branch_code="HKCL",
        branch_kind="central",
        policy=Policy(id="default"),
        borrowed_on=FIRST,
        due_on=FIRST + timedelta(days=14),
        renewals=renewals,
    )
    assert shown(loan, told, day) == renewals_left(loan, calendar_of(told).now, day)
