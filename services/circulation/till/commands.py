"""Open and close tills, and book cash in them."""

from collections.abc import Sequence
from datetime import date

from services.circulation.calendars import store as calendars_store
from services.circulation.refusals import NoSuchBranch, NoSuchTill, TillOpen
from services.circulation.rules.till import Till, chosen, close, is_over, outside, with_cash
from services.circulation.till import store
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def open_till(work: Work, *, branch: str, name: str, float_cents: int, by: str, on: date) -> Till:
    """Open a till with the cash that is in it. Raises NoSuchBranch or TillOpen."""
    if calendars_store.get(work, branch) is None:
        raise NoSuchBranch(branch=branch)
    if any(till.name == name for till in store.open_of(work, branch)):
        raise TillOpen
    till = Till(new_id(), branch, name, on, work.now, by, float_cents)
    store.put(work, till)
    work.concern(till.id)
    return till


def close_till(
    work: Work, *, till_id: str, counted_cents: int, shown_cents: int, reason: str, by: str
) -> Till:
    """Close a till with the cash that was counted. Raises NoSuchTill or a refusal of `close`."""
    till = or_refuse(store.get(work, till_id), NoSuchTill)
    closed = close(
        till,
        counted_cents=counted_cents,
        shown_cents=shown_cents,
        reason=reason,
        by=by,
        at=work.now,
    )
    store.put(work, closed)
    return closed


def unbook(work: Work, till_id: str, moved: Sequence[tuple[str, int]], on: date) -> bool:
    """Book cash of a cancelled payment out of its till; return False if that is over."""
    till = store.get(work, till_id) if till_id else None
    if till is None or is_over(till, on):
        return False
    store.put(work, with_cash(till, moved))
    return True


def book(
    work: Work,
    branch: str,
    name: str,
    moved: Sequence[tuple[str, int]],
    on: date,
    *,
    given: bool = False,
) -> str:
    """Book cash in the open till of a desk, or outside of tills; return the id of where it is.

    `moved` are kinds of charges with their cents. The till's document is written, so a closing at
    the same time comes before or after: the cash is in its count, or outside.
    """
    till = chosen(store.open_of(work, branch), name)
    if till is None:
        first = outside(branch, on, work.now)
        till = store.get(work, first.id) or first
    store.put(work, with_cash(till, moved, given=given))
    return till.id
