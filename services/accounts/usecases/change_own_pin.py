"""Replace the PIN of a patron or of somebody of the staff, who confirmed the former one."""

from dataclasses import dataclass, field, replace

from services.accounts import store
from services.accounts.domain.refusals import WrongPin
from services.accounts.usecases.alert_holder import alert_of_pin
from services.accounts.usecases.end_sessions import end_all
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ChangeOwnPin:
    """An account and its new PIN, already hashed."""

    account_id: str
    confirmed_pin: int
    """Version of the PIN that was confirmed: if it has been replaced since, nothing changes."""
    pin_hash: str = field(repr=False)
    session_id: str
    """Session of the caller: all others end."""


def change_own_pin(work: Work, command: ChangeOwnPin) -> None:
    """Replace the PIN, and end the other sessions and open requests for codes. Raises WrongPin.

    The end of the sessions is published, and that a patron is to be told: no other service knows
    PINs.
    """
    holder = store.cardholder(work, command.account_id)
    if holder is None or holder.pin_version != command.confirmed_pin:
        raise WrongPin
    changed = replace(holder.with_pin(command.pin_hash), version=holder.version + 1)
    store.save_cardholders(work, changed)
    if holder.role == "patron":
        alert_of_pin(work, holder, "patron")
    store.pin_resets.delete_of_card(work, holder.card_digest)
    end_all(work, holder.id, but=command.session_id)
