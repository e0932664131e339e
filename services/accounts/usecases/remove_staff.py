"""Remove an account of staff or of a machine."""

from dataclasses import dataclass, field

from services.accounts import store
from services.accounts.domain.staff import Manager
from services.accounts.usecases.end_sessions import end_all
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RemoveStaff:
    """The card of the account to remove, by its digest."""

    card_digest: str = field(repr=False)
    by: Manager


def remove_staff(work: Work, command: RemoveStaff) -> str:
    """Delete the account, end all its sessions, and return its id.

    What the account has done keeps its id. Raises NoSuchAccount, also for the card of a patron, who
    is erased instead, or OwnAccount.
    """
    holder = command.by.check_account(store.with_card(work, command.card_digest))
    store.delete_cardholder(work, holder.id)
    store.attempts.delete_of_card(work, holder.card_digest)
    work.concern(holder.id)
    end_all(work, holder.id)
    return holder.id
