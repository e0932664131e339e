"""Events of a hold: its snapshot after each change."""

from typing import Any

from services.circulation.rules.hold import Hold, HoldState
from shared.contracts.circulation import (
    HoldCancelled,
    HoldChanged,
    HoldCollected,
    HoldExpired,
    HoldPlaced,
    HoldReady,
    HoldSnapshot,
)


def snapshot(hold: Hold) -> HoldSnapshot:
    """Return the hold as a rebuild reads it."""
    return HoldSnapshot(**_fields(hold))


def placed(hold: Hold, acting: str | None = None, overridden: str | None = None) -> HoldPlaced:
    """Return the event of a new hold.

    `acting` is the linked patron who placed it, if one did; `overridden` is the code of a refusal
    that staff overrode.
    """
    return HoldPlaced(**_fields(hold), acting_patron_id=acting, overridden=overridden)


def changed(before: Hold, hold: Hold, acting: str | None = None) -> HoldSnapshot:
    """Return the event of one change; the states before and after decide its type.

    `acting` is the linked patron who cancelled it, if one did.
    """
    fields = _fields(hold)
    match hold.state:
        case HoldState.READY if before.state is HoldState.READY:
            return HoldChanged(**fields, previous_shelf_until=before.shelf_until)
        case HoldState.READY:
            return HoldReady(**fields)
        case HoldState.COLLECTED:
            return HoldCollected(**fields)
        case HoldState.CANCELLED:
            return HoldCancelled(**fields, by=hold.ended_by or "staff", acting_patron_id=acting)
        case HoldState.EXPIRED:
            return HoldExpired(**fields, uncollected=before.state is HoldState.READY)
        case _:
            return HoldChanged(**fields)


def _fields(hold: Hold) -> dict[str, Any]:
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
        "volume": hold.volume,
        "barcode": hold.barcode,
        "work_id": hold.work_id,
        "any_edition": hold.any_edition,
        "pickup_branch": hold.pickup_branch,
        "state": (HoldState.IN_TRANSIT if to_fetch else hold.state).value,
        "to_fetch": to_fetch,
        "open": hold.is_open,
        "place": hold.place,
        "placed_at": hold.placed_at,
        "expires_on": hold.expires_on,
        "frozen": hold.frozen,
        "frozen_until": hold.frozen_until,
        "copy_id": hold.copy_id,
        "ready_on": hold.ready_on,
        "shelf_until": hold.shelf_until,
    }
