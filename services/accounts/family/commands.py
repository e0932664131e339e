"""Invite members of a family, link their cards with the consent of both, and end links.

An invitation is one write, whether or not there is such a card; the job `invitations` then looks
for its holder. So neither the answer nor its duration tells which cards exist.
"""

from dataclasses import replace
from datetime import datetime

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import JUNIOR, Cardholder, Patron
from services.accounts.family import events, store
from services.accounts.family.events import EndedBy
from services.accounts.family.refusals import NeedsGuardian, NoSuchInvitation, NotJunior, NotLinked
from services.accounts.family.rules import (
    VALID_FOR,
    Consent,
    Invitation,
    Link,
    check_invitation,
    check_link,
    in_state,
)
from services.accounts.refusals import NoSuchPatron
from shared.contracts.accounts import PatronLinked
from shared.ids import new_id
from shared.unit_of_work import Work


def invite_member(work: Work, patron_id: str, card_digest: str, at: datetime) -> Invitation:
    """Store an invitation and return it; an open one to the same card is returned as it is.

    Raises NoSuchPatron, NeedsGuardian, OwnCard or TooManyInvitations.
    """
    patron, holder = cardholders_store.patron_and_holder(work, patron_id)
    if patron.category == JUNIOR:
        raise NeedsGuardian
    sent = store.sent_by(work, patron_id)
    for earlier in sent:
        same_card = earlier.card_digest == card_digest
        if same_card and earlier.seems_open and at < earlier.expires_at:
            return earlier
    check_invitation(holder.card_digest == card_digest, sent, at)
    made_at = at.replace(microsecond=0)
    invitation = Invitation(new_id(), patron_id, card_digest, made_at, made_at + VALID_FOR)
    touch(work, holder)  # so that concurrent invitations are counted one after the other
    store.save_invitation(work, invitation)
    return invitation


def deliver_invitation(work: Work, invitation_id: str) -> bool:
    """Show an invitation to the holder of its card; return False if there is nobody to invite."""
    invitation = store.invitation(work, invitation_id)
    if invitation is None or invitation.state != "requested":
        return False
    patron = cardholders_store.patron_with_card(work, invitation.card_digest)
    if patron is None or store.sides(work, invitation.patron_id, patron.id):
        store.save_invitation(work, in_state(invitation, "void"))
        return False
    sent = in_state(invitation, "sent", invited_id=patron.id)
    store.save_invitation(work, sent)
    work.record(events.invited(sent, patron.id))
    return True


def end_invitation(work: Work, invitation_id: str, patron_id: str, at: datetime) -> None:
    """Withdraw or decline an invitation. Raises NoSuchInvitation.

    A sender is not told that it was declined: they would learn that there is such a card.
    """
    invitation = store.invitation(work, invitation_id)
    if invitation is None or at >= invitation.expires_at:
        raise NoSuchInvitation
    if invitation.patron_id == patron_id and invitation.seems_open:
        ended = in_state(invitation, "withdrawn")
    elif invitation.is_open_to(patron_id, at):
        ended = in_state(invitation, "declined")
    else:
        raise NoSuchInvitation
    store.save_invitation(work, ended)


def erase_invitations(work: Work, patron_id: str, card_digest: str) -> None:
    """Delete the invitations of a patron who is erased, and the patron from those to them.

    The others stay until they expire: their senders would learn that there was such a card.
    """
    store.delete_sent(work, patron_id)
    for invitation in store.sent_to(work, patron_id, card_digest):
        nobody = replace(in_state(invitation, invitation.state), card_digest="", invited_id=None)
        is_open = invitation.state in ("requested", "sent")
        store.save_invitation(work, replace(nobody, state="void") if is_open else nobody)


def accept_invitation(work: Work, invitation_id: str, patron_id: str, at: datetime) -> Link:
    """Link the cards and return the invited patron's side.

    Raises NoSuchInvitation, NeedsGuardian, AlreadyLinked or TooManyLinks.
    """
    invitation = store.invitation(work, invitation_id)
    if invitation is None or not invitation.is_open_to(patron_id, at):
        raise NoSuchInvitation
    invited = cardholders_store.patron(work, patron_id)
    sender = cardholders_store.patron(work, invitation.patron_id)
    if invited is None or sender is None:
        raise NoSuchInvitation
    if JUNIOR in (invited.category, sender.category):
        raise NeedsGuardian
    store.save_invitation(work, in_state(invitation, "accepted"))
    return _link(work, invited, sender, "patron")


def link_junior(work: Work, patron_id: str, guardian_card_digest: str) -> Link:
    """Link a junior's card with that of a guardian, who has agreed to it at the desk.

    Returns the junior's side. Raises NoSuchPatron, NotJunior, NeedsGuardian, AlreadyLinked or
    TooManyLinks.
    """
    junior = cardholders_store.patron(work, patron_id)
    guardian = cardholders_store.patron_with_card(work, guardian_card_digest)
    if junior is None or guardian is None:
        raise NoSuchPatron
    if junior.category != JUNIOR:
        raise NotJunior
    if guardian.category == JUNIOR:
        raise NeedsGuardian
    return _link(work, junior, guardian, "guardian")


def end_link(work: Work, patron_id: str, member_id: str) -> None:
    """End a link for both patrons. Raises NotLinked."""
    sides = store.sides(work, patron_id, member_id)
    if not sides:
        raise NotLinked
    for side in sides:
        _end(work, side, "patron" if side.patron_id == patron_id else "member")


def end_links_of_erased(work: Work, patron_id: str) -> None:
    """End all links of a patron who is erased."""
    for link in store.links_of(work, patron_id):
        for side in store.sides(work, patron_id, link.member_id):
            _end(work, side, "erased")


def end_links_by_guardians(work: Work, patron_id: str) -> None:
    """End the links to which a guardian agreed for a patron who is no longer a junior."""
    for link in store.links_of(work, patron_id):
        if link.consent == "guardian":
            for side in store.sides(work, patron_id, link.member_id):
                _end(work, side, "came-of-age")


def touch(work: Work, *holders: Cardholder) -> None:
    """Save cardholders unchanged, so that transactions that count for them conflict.

    An erasure, which deletes the cardholder, conflicts as well.
    """
    cardholders_store.save_cardholders(work, *sorted(holders, key=lambda holder: holder.id))


def _link(work: Work, patron: Patron, member: Patron, consent: Consent) -> Link:
    holders = [
        cardholders_store.cardholder(work, patron_id) for patron_id in (patron.id, member.id)
    ]
    there = [holder for holder in holders if holder is not None]
    if len(there) < len(holders):  # erased a moment ago
        raise NoSuchPatron
    own = store.links_of(work, patron.id)
    check_link(member.id, own, store.links_of(work, member.id))
    touch(work, *there)
    at = work.now.replace(microsecond=0)
    side = Link(new_id(), patron.id, member.id, consent, at)
    other = Link(new_id(), member.id, patron.id, "patron", at)
    store.add_link(work, side, other)
    for link in (side, other):
        work.record(events.link_event(PatronLinked, link))
    return side


def _end(work: Work, side: Link, by: EndedBy) -> None:
    store.delete_link(work, side)
    work.record(events.unlinked(side, by))
