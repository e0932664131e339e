"""Issue a code with which the holder of an account of staff chooses a PIN.

The code opens no session and does nothing else. Like those of patrons it is derived, and stored and
shown nowhere: the service that sends it asks for address and code together.
"""

from datetime import datetime

from services.accounts import store
from services.accounts.domain import pin_reset as rules
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.refusals import NoStaffAddress
from shared.contracts.accounts import PinIssued
from shared.ids import new_id
from shared.unit_of_work import Work


def issue_pin(work: Work, holder: Cardholder, at: datetime) -> None:
    """Let a code be sent, valid from `at` on by the wall clock; earlier ones end.

    Raises NoStaffAddress.
    """
    if not holder.email:
        raise NoStaffAddress
    reset = rules.issued(new_id(), holder.card_digest, holder.id, at)
    store.pin_resets.delete_of_card(work, holder.card_digest)
    store.pin_resets.save(work, reset)
    work.record(PinIssued(account_id=holder.id, reset_id=reset.id, version=1))
