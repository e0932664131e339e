"""Events that were stored before a field existed give its fact all the same."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from services.circulation.charges import events as charges_events
from services.circulation.holds import events as holds_events
from services.circulation.rules.calendar import Cause
from services.circulation.rules.charge import ChargeKind, new_charge
from services.circulation.rules.fines import Disposition, Span, Statement
from services.circulation.rules.hold import Hold, HoldState
from services.circulation.rules.ledger import Posting, PostingKind
from shared.contracts import Event, notices
from shared.contracts.circulation import FineAssessed, Standing
from tests import samples

DAY = date(2020, 12, 5)
HOLD = Hold(
    id="hold-1",
    patron_id="patron-1",
    title_id="title-1",
    pickup_branch="HKCL",
    place=1,
    placed_at=datetime(2020, 12, 1, tzinfo=UTC),
)
POLICY = (Cause("policy", "default", 1, "$1.50 a day"),)


def stored_without(event: Event, *fields: str) -> Event:
    """Return the event as a consumer reads it if these fields were not published with it."""
    body: dict[str, Any] = orjson.loads(event.body())
    for field in fields:
        del body[field]
    return type(event).model_validate_json(orjson.dumps(body))


@pytest.mark.parametrize("state", HoldState)
def test_an_earlier_event_of_a_hold_is_open_exactly_if_circulation_says_so(
    state: HoldState,
) -> None:
    hold = replace(HOLD, state=state)
    told = holds_events.snapshot(hold)
    assert told.open == hold.is_open
    assert stored_without(told, "open") == told


@pytest.mark.parametrize(("unpaid", "due_back"), [(600, 0), (0, 150), (0, 0)])
@pytest.mark.parametrize("kind", ChargeKind)
def test_an_earlier_event_of_a_charge_has_the_kind_and_state_that_circulation_gives(
    kind: ChargeKind, unpaid: int, due_back: int
) -> None:
    charge = new_charge("charge-1", "patron-1", kind, 600, DAY)
    charge = replace(charge, outstanding_cents=unpaid, refund_due_cents=due_back)
    told = charges_events.snapshot(charge, None)
    assert (told.charge_kind, told.open) == (kind.value, charge.is_open)
    assert stored_without(told, "charge_kind", "open") == told


@pytest.mark.parametrize(
    ("dispositions", "suspended"),
    [
        ([], False),
        ([Disposition.CHARGED], False),
        ([Disposition.CHARGED, Disposition.SUSPENDED], True),
        ([Disposition.SUSPENDED, Disposition.CHARGED], False),
    ],
)
def test_an_earlier_event_of_a_fine_says_if_fines_were_suspended_at_its_end(
    dispositions: list[Disposition], suspended: bool
) -> None:
    spans = tuple(Span(DAY, DAY, each, POLICY) for each in dispositions)
    fine = new_charge("charge-1", "patron-1", ChargeKind.FINE, 600, DAY)
    fine = replace(fine, statement=Statement(DAY, 1, 600, spans))
    standing = Standing(version=1, outstanding_cents=600, blocked=False)
    told = charges_events.posted(Posting(PostingKind.ASSESSED, fine, ()), standing, None)
    assert isinstance(told, FineAssessed)
    assert told.suspended is suspended
    assert stored_without(told, "suspended") == told


Grants = list[tuple[int, int | None, int]]
"""Closures, or spans of relief: first day of December, first day after it, extra renewals."""


@pytest.mark.parametrize(
    ("closures", "relief"),
    [
        pytest.param([], [], id="no closure"),
        pytest.param([(2, 9, 0)], [], id="no renewals"),
        pytest.param([(2, 9, 1)], [(2, 9, 1)], id="one closure"),
        pytest.param([(2, None, 1)], [(2, None, 1)], id="no end announced"),
        pytest.param([(2, 2, 1)], [], id="in error"),
        pytest.param([(20, 24, 2), (2, 9, 1)], [(2, 9, 1), (20, 24, 2)], id="in order of days"),
        pytest.param([(2, 9, 1), (9, 12, 1)], [(2, 12, 1)], id="adjoining"),
        pytest.param([(2, 9, 1), (9, 12, 2)], [(2, 9, 1), (9, 12, 2)], id="adjoining, more"),
        pytest.param([(2, 9, 1), (4, 12, 1)], [(2, 12, 1)], id="overlapping"),
        pytest.param(
            [(2, 20, 1), (4, 9, 3)], [(2, 4, 1), (4, 9, 3), (9, 20, 1)], id="more in the middle"
        ),
        pytest.param([(2, None, 3), (4, 9, 1)], [(2, None, 3)], id="less in the middle"),
    ],
)
def test_relief_is_the_highest_number_that_closures_grant_on_each_day(
    closures: Grants, relief: Grants
) -> None:
    told = samples.branch(
        notices.BranchClosed,
        2,
        closures=[
            samples.closure(
                f"closure-{number}", _day(first), (2, _day(until)), extra_renewals=extra
            )
            for number, (first, until, extra) in enumerate(closures)
        ],
    )
    assert [(one.from_, one.until, one.extra_renewals) for one in told.relief] == [
        (_day(first), _day(until), extra) for first, until, extra in relief
    ]
    assert stored_without(told, "relief") == told


def _day(number: int | None) -> Any:
    return None if number is None else date(2020, 12, number)
