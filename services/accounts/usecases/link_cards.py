"""Link the cards of two patrons with the consent of both, and end such a link."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.coming_of_age import JUNIOR
from services.accounts.domain.family import Consent, Link, check_link, moved_on
from services.accounts.domain.patron import Patron
from services.accounts.domain.refusals import (
    NeedsGuardian,
    NoSuchInvitation,
    NoSuchPatron,
    NotJunior,
    NotLinked,
)
from services.accounts.usecases import family_events
from services.accounts.usecases.family_events import EndedBy
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AcceptInvitation:
    """An invitation that the invited patron accepts, at `at` by the wall clock."""

    invitation_id: str
    patron_id: str
    at: datetime


@dataclass(frozen=True)
class LinkJunior:
    """A junior patron and the card of a guardian, who has agreed to the link at the desk."""

    patron_id: str
    guardian_card_digest: str = field(repr=False)


@dataclass(frozen=True)
class EndLink:
    """A patron who ends the link with another."""

    patron_id: str
    member_id: str


def accept_invitation(work: Work, command: AcceptInvitation) -> Link:
    """Link the cards and return the invited patron's side.

    Raises NoSuchInvitation, NeedsGuardian, AlreadyLinked or TooManyLinks.
    """
    invitation = store.family.invitation(work, command.invitation_id)
    if invitation is None or not invitation.is_open_to(command.patron_id, command.at):
        raise NoSuchInvitation
    invited = store.patron(work, command.patron_id)
    sender = store.patron(work, invitation.patron_id)
    if invited is None or sender is None:
        raise NoSuchInvitation
    if JUNIOR in (invited.category, sender.category):
        raise NeedsGuardian
    store.family.save_invitation(work, moved_on(invitation, "accepted"))
    return _link(work, invited, sender, "patron")


def link_junior(work: Work, command: LinkJunior) -> Link:
    """Link a junior's card with a guardian's, and return the junior's side.

    Raises NoSuchPatron, NotJunior, NeedsGuardian, AlreadyLinked or TooManyLinks.
    """
    junior = store.patron(work, command.patron_id)
    holder = store.with_card(work, command.guardian_card_digest)
    guardian = store.patron(work, holder.id) if holder else None
    if junior is None or guardian is None:
        raise NoSuchPatron
    if junior.category != JUNIOR:
        raise NotJunior
    if guardian.category == JUNIOR:
        raise NeedsGuardian
    return _link(work, junior, guardian, "guardian")


def end_link(work: Work, command: EndLink) -> None:
    """End a link for both patrons. Raises NotLinked."""
    sides = store.family.sides(work, command.patron_id, command.member_id)
    if not sides:
        raise NotLinked
    for side in sides:
        _end(work, side, "patron" if side.patron_id == command.patron_id else "member")


def end_links_of_erased(work: Work, patron_id: str) -> None:
    """End all links of a patron who is erased."""
    for link in store.family.links_of(work, patron_id):
        for side in store.family.sides(work, patron_id, link.member_id):
            _end(work, side, "erased")


def end_links_by_guardians(work: Work, patron_id: str) -> None:
    """End the links to which a guardian agreed for a patron who is no longer a junior."""
    for link in store.family.links_of(work, patron_id):
        if link.consent == "guardian":
            for side in store.family.sides(work, patron_id, link.member_id):
                _end(work, side, "came-of-age")


def touch(work: Work, *holders: Cardholder) -> None:
    """Save cardholders unchanged, so that transactions that count for them conflict.

    An erasure, which deletes the cardholder, conflicts as well.
    """
    changed = [replace(holder, version=holder.version + 1) for holder in holders]
    store.save_cardholders(work, *sorted(changed, key=lambda holder: holder.id))


def _link(work: Work, patron: Patron, member: Patron, consent: Consent) -> Link:
    holders = [store.cardholder(work, one.id) for one in (patron, member)]
    there = [holder for holder in holders if holder is not None]
    if len(there) < len(holders):  # erased a moment ago
        raise NoSuchPatron
    own = store.family.links_of(work, patron.id)
    check_link(member.id, own, store.family.links_of(work, member.id))
    touch(work, *there)
    at = work.now.replace(microsecond=0)
    side = Link(new_id(), patron.id, member.id, consent, at)
    other = Link(new_id(), member.id, patron.id, "patron", at)
    store.family.add_link(work, side, other)
    for one in (side, other):
        work.record(family_events.linked(one))
    return side


def _end(work: Work, side: Link, by: EndedBy) -> None:
    store.family.delete_link(work, side)
    work.record(family_events.unlinked(side, by))
