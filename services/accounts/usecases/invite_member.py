"""Invite the holder of a card to link it with one's own, and withdraw or decline that.

An invitation is one write, whether or not there is such a card; the job `invitations` then looks
for its holder. So neither the answer nor its duration tells which cards exist.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts import store
from services.accounts.domain.coming_of_age import JUNIOR
from services.accounts.domain.family import VALID_FOR, Invitation, check_invitation, moved_on
from services.accounts.domain.refusals import NeedsGuardian, NoSuchInvitation, NoSuchPatron
from services.accounts.usecases import family_events
from services.accounts.usecases.link_cards import touch
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class InviteMember:
    """An invitation to the holder of a card, given by its digest, at `at` by the wall clock."""

    patron_id: str
    card_digest: str = field(repr=False)
    at: datetime


@dataclass(frozen=True)
class EndInvitation:
    """An invitation that its sender withdraws, or that the invited patron declines, at `at`."""

    invitation_id: str
    patron_id: str
    at: datetime


def invite_member(work: Work, command: InviteMember) -> Invitation:
    """Store an invitation and return it; an open one to the same card is returned as it is.

    Raises NoSuchPatron, NeedsGuardian, OwnCard or TooManyInvitations.
    """
    patron = store.patron(work, command.patron_id)
    holder = store.cardholder(work, command.patron_id)
    if patron is None or holder is None:
        raise NoSuchPatron
    if patron.category == JUNIOR:
        raise NeedsGuardian
    sent = store.family.sent_by(work, command.patron_id)
    for one in sent:
        same_card = one.card_digest == command.card_digest
        if same_card and one.seems_open and command.at < one.expires_at:
            return one
    check_invitation(holder.card_digest == command.card_digest, sent, command.at)
    at = command.at.replace(microsecond=0)
    invitation = Invitation(new_id(), command.patron_id, command.card_digest, at, at + VALID_FOR)
    touch(work, holder)  # so that concurrent invitations are counted one after the other
    store.family.save_invitation(work, invitation)
    return invitation


def deliver_invitation(work: Work, invitation_id: str) -> bool:
    """Show an invitation to the holder of its card; return False if there is nobody to invite."""
    invitation = store.family.invitation(work, invitation_id)
    if invitation is None or invitation.state != "requested":
        return False
    holder = store.with_card(work, invitation.card_digest)
    patron = store.patron(work, holder.id) if holder else None
    if patron is None or store.family.sides(work, invitation.patron_id, patron.id):
        store.family.save_invitation(work, moved_on(invitation, "void"))
        return False
    sent = moved_on(invitation, "sent", invited_id=patron.id)
    store.family.save_invitation(work, sent)
    work.record(family_events.invited(sent, patron.id))
    return True


def end_invitation(work: Work, command: EndInvitation) -> None:
    """Withdraw or decline an invitation. Raises NoSuchInvitation.

    A sender is not told that it was declined: they would learn that there is such a card.
    """
    invitation = store.family.invitation(work, command.invitation_id)
    if invitation is None or command.at >= invitation.expires_at:
        raise NoSuchInvitation
    if invitation.patron_id == command.patron_id and invitation.seems_open:
        ended = moved_on(invitation, "withdrawn")
    elif invitation.is_open_to(command.patron_id, command.at):
        ended = moved_on(invitation, "declined")
    else:
        raise NoSuchInvitation
    store.family.save_invitation(work, ended)


def erase_invitations(work: Work, patron_id: str, card_digest: str) -> None:
    """Delete the invitations of a patron who is erased, and the patron from those to them.

    The others stay until they expire: their senders would learn that there was such a card.
    """
    store.family.delete_sent(work, patron_id)
    for one in store.family.sent_to(work, patron_id, card_digest):
        nobody = replace(moved_on(one, one.state), card_digest="", invited_id=None)
        is_open = one.state in ("requested", "sent")
        store.family.save_invitation(work, replace(nobody, state="void") if is_open else nobody)
