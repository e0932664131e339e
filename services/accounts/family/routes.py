"""Linked cards of a family: invitations of patrons, links by the staff, and their ends."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.accounts.cardholders.rules import JUNIOR
from services.accounts.family import queries
from services.accounts.family.commands import (
    accept_invitation,
    end_invitation,
    end_link,
    invite_member,
    link_junior,
)
from services.accounts.family.queries import Family
from services.accounts.family.refusals import (
    AlreadyLinked,
    NeedsGuardian,
    NoSuchInvitation,
    NotJunior,
    NotLinked,
    OwnCard,
    TooManyInvitations,
    TooManyLinks,
)
from services.accounts.family.rules import Link
from services.accounts.fields import CardNumber, OwnSettings, PathId, digest_of
from services.accounts.refusals import NoSuchPatron
from shared import auth
from shared.audit_trail import shows_patrons
from shared.clock import wall_clock
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["family"])


class InvitationIn(Body):
    """The card number of the person to invite."""

    card_number: CardNumber


class GuardianIn(Body):
    """The card number of a guardian, who has agreed to the link at the desk."""

    card_number: CardNumber


class SentOut(BaseModel):
    """An invitation that the patron sent; it does not say whether there is such a card."""

    id: str
    made_at: datetime
    expires_at: datetime


class ReceivedOut(BaseModel):
    """An invitation that the patron can accept or decline."""

    id: str
    name: str = Field(description="Name of the patron who sent it.")
    made_at: datetime
    expires_at: datetime


class MemberOut(BaseModel):
    """A patron whose card is linked with the patron's card."""

    patron_id: str
    name: str
    linked_at: datetime


class LinkOut(BaseModel):
    """A new link: the other patron, without personal data."""

    patron_id: str
    linked_at: datetime

    @classmethod
    def of(cls, link: Link) -> "LinkOut":
        """Build the response from the caller's side of a link."""
        return cls(patron_id=link.member_id, linked_at=link.made_at)


class FamilyOut(BaseModel):
    """The cards that are linked with the patron's card, and the open invitations."""

    links: list[MemberOut]
    received: list[ReceivedOut]
    sent: list[SentOut]
    needs_guardian: bool = Field(
        description="True for a junior patron: a guardian agrees to links at a library."
    )

    @classmethod
    def of(cls, family: Family) -> "FamilyOut":
        """Build the response from a patron's links and invitations."""
        return cls(
            links=[
                MemberOut(
                    patron_id=link.member_id,
                    name=family.names[link.member_id],
                    linked_at=link.made_at,
                )
                for link in family.links
            ],
            received=[
                from_attributes(ReceivedOut, one, name=family.names[one.patron_id])
                for one in family.received
            ],
            sent=[from_attributes(SentOut, one) for one in family.sent],
            needs_guardian=family.patron.category == JUNIOR,
        )


@router.get("/me/family")
@refuses(NoSuchPatron)
async def get_family(caller: auth.Patron, db: Db) -> FamilyOut:
    """List the cards linked with the patron's card, and the open invitations from and to them."""
    return FamilyOut.of(await queries.family(db, caller.id, wall_clock()))


@router.post("/me/family-invitations", status_code=202)
@refuses(NoSuchPatron, NeedsGuardian, OwnCard, TooManyInvitations)
async def post_invitation(
    body: InvitationIn, caller: auth.Patron, run: Run, settings: OwnSettings
) -> SentOut:
    """Invite the holder of a card to link it with the patron's card.

    Linked patrons see each other's loans and holds, and can renew and reserve for each other. The
    answer is the same whether or not there is such a card. Its holder sees the invitation, with the
    name of the sender, in My Account, and can accept it for 7 days.
    """
    digest = await digest_of(run.database, settings, body.card_number)
    return from_attributes(SentOut, await run(invite_member, caller.id, digest, wall_clock()))


@router.post("/me/family-invitations/{invitation_id}/acceptance", status_code=201)
@refuses(NoSuchInvitation, NeedsGuardian, NoSuchPatron, AlreadyLinked, TooManyLinks)
async def post_acceptance(invitation_id: PathId, caller: auth.Patron, run: Run) -> LinkOut:
    """Accept an invitation: the two cards are linked from now on."""
    return LinkOut.of(await run(accept_invitation, invitation_id, caller.id, wall_clock()))


@router.delete("/me/family-invitations/{invitation_id}", status_code=204)
@refuses(NoSuchInvitation)
async def delete_invitation(invitation_id: PathId, caller: auth.Patron, run: Run) -> None:
    """Withdraw an invitation that the patron sent, or decline one that they received.

    The sender of a declined invitation is not told.
    """
    await run(end_invitation, invitation_id, caller.id, wall_clock())


@router.delete("/me/family/{member_id}", status_code=204)
@refuses(NotLinked)
async def delete_link(member_id: PathId, caller: auth.Patron, run: Run) -> None:
    """End the link with another patron's card, for both."""
    await run(end_link, caller.id, member_id)


class LinkedOut(BaseModel):
    """The patrons whose cards are linked with a patron's card."""

    items: list[MemberOut]


@router.get("/patrons/{patron_id}/family")
@refuses(NoSuchPatron)
@shows_patrons
async def get_links(patron_id: PathId, _caller: auth.Staff, db: Db) -> LinkedOut:
    """List the cards that are linked with a patron's card, for staff."""
    found = FamilyOut.of(await queries.family(db, patron_id, wall_clock()))
    return LinkedOut(items=found.links)


@router.post("/patrons/{patron_id}/family", status_code=201)
@refuses(NoSuchPatron, NotJunior, NeedsGuardian, AlreadyLinked, TooManyLinks)
async def post_guardian(
    patron_id: PathId, body: GuardianIn, caller: auth.Staff, run: Run, settings: OwnSettings
) -> LinkOut:
    """Link a junior's card with the card of a guardian, who has agreed to it at the desk.

    The link ends when the junior becomes an adult.
    """
    digest = await digest_of(run.database, settings, body.card_number)
    return LinkOut.of(await run(link_junior, patron_id, digest))
