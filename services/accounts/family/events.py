"""The events of links of cards, recorded by the use cases that make or end one."""

from typing import Literal

from services.accounts.family.rules import Invitation, Link
from shared.contracts.accounts import LinkSnapshot, PatronInvited, PatronLinked, PatronUnlinked

EndedBy = Literal["patron", "member", "erased", "came-of-age"]


def link_fields(link: Link) -> LinkSnapshot:
    """Return a side of a link as a rebuild reads it."""
    return LinkSnapshot(
        link_id=link.id, patron_id=link.patron_id, member_id=link.member_id, version=link.version
    )


def linked(link: Link) -> PatronLinked:
    """Return the event of a new link, for one side."""
    return PatronLinked(
        link_id=link.id, patron_id=link.patron_id, member_id=link.member_id, version=link.version
    )


def unlinked(link: Link, by: EndedBy) -> PatronUnlinked:
    """Return the event of a link that ended, for one side."""
    return PatronUnlinked(
        link_id=link.id,
        patron_id=link.patron_id,
        member_id=link.member_id,
        linked=False,
        by=by,
        version=link.version + 1,
    )


def invited(invitation: Invitation, patron_id: str) -> PatronInvited:
    """Return the event of an invitation that has found its patron."""
    return PatronInvited(patron_id=patron_id, invitation_id=invitation.id, version=1)
