"""Publish a hold's snapshot after each change."""

from typing import Any

from services.circulation.domain.hold import Hold, HoldState
from shared.contracts.circulation import (
    HoldCancelled,
    HoldChanged,
    HoldCollected,
    HoldExpired,
    HoldPlaced,
    HoldReady,
)
from shared.unit_of_work import Work


def tell_placed(work: Work, hold: Hold) -> None:
    """Record the event of a new hold."""
    work.record(HoldPlaced(**snapshot(hold)))


def tell_change(work: Work, before: Hold, hold: Hold) -> None:
    """Record the event of one change; the states before and after decide its type."""
    fields = snapshot(hold)
    match hold.state:
        case HoldState.READY if before.state is HoldState.READY:
            work.record(HoldChanged(**fields, previous_shelf_until=before.shelf_until))
        case HoldState.READY:
            work.record(HoldReady(**fields))
        case HoldState.COLLECTED:
            work.record(HoldCollected(**fields))
        case HoldState.CANCELLED:
            work.record(HoldCancelled(**fields, by=hold.ended_by or "staff"))
        case HoldState.EXPIRED:
            uncollected = before.state is HoldState.READY
            work.record(HoldExpired(**fields, uncollected=uncollected))
        case _:
            work.record(HoldChanged(**fields))


def snapshot(hold: Hold) -> dict[str, Any]:
    """Return the fields that all events of a hold have in common.

    The contract has no state for a copy that is to be fetched: the state is `in-transit`, and
    `to_fetch` is true.
    """
    to_fetch = hold.state is HoldState.TO_FETCH
    return {
        "version": hold.version,
        "hold_id": hold.id,
        "patron_id": hold.patron_id,
        "title_id": hold.title_id,
        "pickup_branch": hold.pickup_branch,
        "state": (HoldState.IN_TRANSIT if to_fetch else hold.state).value,
        "to_fetch": to_fetch,
        "place": hold.place,
        "placed_at": hold.placed_at,
        "expires_on": hold.expires_on,
        "frozen": hold.frozen,
        "frozen_until": hold.frozen_until,
        "copy_id": hold.copy_id,
        "ready_on": hold.ready_on,
        "shelf_until": hold.shelf_until,
    }
