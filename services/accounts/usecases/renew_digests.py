"""Replace digests of cards by those with the newest key, while the system runs."""

from dataclasses import dataclass, field, replace

from services.accounts import store
from services.accounts.domain.patron import amend
from services.accounts.usecases.patron_events import record_patron_event
from shared.contracts.accounts import PatronUpdated
from shared.ids import card_digest
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RenewDigests:
    """The holders of some cards, and the keys of digests, the newest first."""

    holder_ids: tuple[str, ...]
    keys: str = field(repr=False)


def renew_digests(work: Work, command: RenewDigests) -> int:
    """Renew the digests that were made with another key; return how many.

    Events tell circulation of the patrons'. The former digest is accepted until it is forgotten,
    because a request that is under way may have it. What is counted of wrong PINs begins anew.
    """
    found = store.cardholders(work, command.holder_ids)
    renewed = {one: card_digest(one.card_number, command.keys) for one in found}
    changed = {one: digest for one, digest in renewed.items() if digest != one.card_digest}
    patrons = store.patrons(work, [one.id for one in changed])
    for holder, digest in changed.items():
        former = holder.card_digest
        store.save_cardholders(
            work,
            replace(holder, card_digest=digest, former_digest=former, version=holder.version + 1),
        )
        store.attempts.delete_of_card(work, former)
        store.pin_resets.change_digest(work, former, digest)
        store.family.change_digest(work, former, digest)
        if holder.id in patrons:
            patron = amend(patrons[holder.id], card_digest=digest)
            store.save_patrons(work, patron)
            record_patron_event(work, PatronUpdated, patron)
    return len(changed)


def forget_former_digests(work: Work, holder_ids: tuple[str, ...]) -> None:
    """Delete the former digests of some cards, with what was counted under them since."""
    for holder in store.cardholders(work, holder_ids):
        if holder.former_digest is not None:
            store.attempts.delete_of_card(work, holder.former_digest)
            store.save_cardholders(
                work, replace(holder, former_digest=None, version=holder.version + 1)
            )
