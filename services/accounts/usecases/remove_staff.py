"""Remove an account of staff, a station, a contact tracer or an operator."""

from dataclasses import dataclass, field

from services.accounts import store
from services.accounts.domain.refusals import NoSuchAccount
from services.accounts.usecases.end_sessions import end_all
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RemoveStaff:
    """The card of the account to remove, by its digest."""

    card_digest: str = field(repr=False)


async def remove_staff(work: Work, command: RemoveStaff) -> str:
    """Delete the account, end all its sessions, and return its id.

    What the account has done keeps its id. Raises NoSuchAccount, also for the card of a patron, who
    is erased instead.
    """
    holders = await store.holders_of_cards(work, [command.card_digest])
    holder = holders.get(command.card_digest)
    if holder is None or holder.role == "patron":
        raise NoSuchAccount
    await store.delete_cardholder(work, holder)
    work.concern(holder.id)
    await end_all(work, holder.id)
    return holder.id
