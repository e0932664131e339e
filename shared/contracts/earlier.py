"""Facts that stored events of earlier releases lack, derived from their other fields.

Each function is the default of one field of a contract. New events do not need it: circulation
fills the field when it composes the event.
"""

from collections.abc import Mapping
from typing import Any, Literal

ChargeKind = Literal["fine", "lost", "lost-processing", "hold-fee"]

Fields = Mapping[str, Any]
"""The fields of the event that its contract lists before the missing one."""


def charge_kind(event: Fields) -> ChargeKind:
    """Return the kind of a charge, with the processing of a lost copy as a kind of its own."""
    kind: ChargeKind = "lost-processing" if event["processing"] else event["kind"]
    return kind


def charge_is_open(event: Fields) -> bool:
    """Return whether money of a charge is to be paid or to be given back."""
    return bool(event["outstanding_cents"] or event["refund_due_cents"])


def ends_suspended(event: Fields) -> bool:
    """Return whether the last span of a fine's statement is a suspended one."""
    return bool(event["spans"]) and event["spans"][-1].disposition == "suspended"


def hold_is_open(event: Fields) -> bool:
    """Return whether a hold is neither collected nor cancelled nor expired."""
    return event["state"] in ("waiting", "in-transit", "ready")
