"""The events of links of cards, recorded by the use cases that make or end one."""

from typing import Literal, TypeVar

from services.accounts.family.rules import Invitation, Link
from shared.contracts.accounts import LinkSnapshot, PatronInvited, PatronUnlinked

L = TypeVar("L", bound=LinkSnapshot)
EndedBy = Literal["patron", "member", "erased", "came-of-age"]


def link_event(kind: type[L], link: Link) -> L:
    """Return an event of `kind` about a link, for one side."""
    return kind(
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
