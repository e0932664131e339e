"""Tell the holder of an account of a change, at the address that was valid before it."""

from services.accounts.cardholders import store
from services.accounts.cardholders.rules import KEPT_FOR, Cardholder, ChangedBy, KeptAddress
from shared.clock import wall_clock
from shared.contracts.accounts import (
    AlertOfCard,
    AlertOfContact,
    AlertOfDevice,
    AlertOfPasskey,
    AlertOfPin,
)
from shared.ids import new_id
from shared.unit_of_work import Work


def keep_address(work: Work, holder: Cardholder, alert_id: str) -> None:
    """Keep the address of a holder, if there is one, for an alert of a change."""
    if holder.email is not None:
        expires_at = wall_clock() + KEPT_FOR
        store.keep_address(work, KeptAddress(alert_id, holder.id, holder.email, expires_at))


def _new_alert(work: Work, holder: Cardholder) -> str:
    alert_id = new_id()
    keep_address(work, holder, alert_id)
    return alert_id


def alert_of_pin(work: Work, before: Cardholder, by: ChangedBy) -> None:
    """Tell a patron that there is a new PIN."""
    alert_id = _new_alert(work, before)
    work.record(AlertOfPin(patron_id=before.id, alert_id=alert_id, by=by, version=1))


def alert_of_card(work: Work, before: Cardholder) -> None:
    """Tell a patron that the staff have replaced the card."""
    alert_id = _new_alert(work, before)
    work.record(AlertOfCard(patron_id=before.id, alert_id=alert_id, by="staff", version=1))


def alert_of_device(work: Work, holder: Cardholder) -> None:
    """Tell a patron of a log-in on a device that was not used with the card before."""
    alert_id = _new_alert(work, holder)
    work.record(AlertOfDevice(patron_id=holder.id, alert_id=alert_id, by="patron", version=1))


def alert_of_passkey(work: Work, holder: Cardholder, *, added: bool) -> None:
    """Tell a patron that a passkey was added or removed."""
    alert_id = _new_alert(work, holder)
    work.record(
        AlertOfPasskey(patron_id=holder.id, alert_id=alert_id, by="patron", added=added, version=1)
    )


def alert_of_contact(
    work: Work,
    before: Cardholder,
    by: ChangedBy,
    *,
    asked: bool = False,
    changed: bool = False,
    removed: bool = False,
    phone: bool = False,
    postal: bool = False,
) -> None:
    """Tell a patron what has happened to their addresses."""
    alert_id = _new_alert(work, before)
    work.record(
        AlertOfContact(
            patron_id=before.id,
            alert_id=alert_id,
            by=by,
            asked=asked,
            changed=changed,
            removed=removed,
            phone=phone,
            postal=postal,
            version=1,
        )
    )
