"""Pages of linked cards: invitations, and what a member of the family has."""

import asyncio
from dataclasses import replace
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Api, Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.loans.patron import agreed_cents
from services.gateway.web.page_request import PageRequest, PatronRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    menus={"patron": [("/family", marked("Linked cards"))]},
    messages={
        "invited": marked("Your invitation is sent, if there is such a card."),
        "invitation-ended": marked("The invitation has ended."),
        "cards-linked": marked("The two cards are linked."),
        "cards-unlinked": marked("The two cards are no longer linked."),
        "member-renewed": marked("Renewed until %(due_on)s. Reference %(reference)s."),
        "member-hold-cancelled": marked("The reservation was cancelled."),
    },
    problems={
        "own-card": marked("This is your own card number."),
        "needs-guardian": marked("A parent or guardian has to agree to this at a library."),
        "too-many-invitations": marked(
            "You can't invite more people now. Please try again tomorrow."
        ),
        "no-such-invitation": marked("There is no such invitation. It may have ended."),
        "already-linked": marked("These cards are linked already."),
        "too-many-links": marked("One of the two cards is linked with as many cards as possible."),
        "not-linked": marked("Your card is not linked with this one. The link may have ended."),
        "member-blocked": marked(
            "The other account is blocked, so its holder can't borrow, renew or reserve. Their My "
            "Account says what to do."
        ),
        "member-card-expired": marked(
            "The other card has expired. Its holder can renew it in My Account or at any library."
        ),
        "member-renewal-limit": marked(
            "The other card has reached the renewal limit for this item."
        ),
        "member-loan-claimed": marked(
            "The holder of the other card has told us that they returned it. The library is "
            "looking for it."
        ),
        "member-hold-limit": marked(
            "The other card has reached the limit of reservations at one time."
        ),
        "member-hold-exists": marked("This title is reserved for the other card already."),
        "member-title-on-loan": marked(
            "The other card has this title on loan, so you cannot reserve it for that card."
        ),
    },
    at_fault={"own-card": "card_number"},
)


OF_MEMBER = {
    "patron-blocked": "member-blocked",
    "card-expired": "member-card-expired",
    "renewal-limit": "member-renewal-limit",
    "loan-claimed": "member-loan-claimed",
    "hold-limit": "member-hold-limit",
    "hold-exists": "member-hold-exists",
    "title-on-loan": "member-title-on-loan",
}
"""Codes of the texts about a linked card, by the API's codes, whose texts say "you"."""


_HERE = "/family"
_INVITATIONS = "/v1/me/family-invitations"
_ENDED = ("no-such-invitation", "not-linked", "no-such-loan")
"""Codes of refusals because what the command is about may have ended meanwhile."""


@router.get("/family")
async def get_family(request: PatronRequest) -> Response:
    """Show the linked cards and the open invitations."""
    return await _family(request)


@router.post("/family")
async def post_invitation(request: PatronRequest) -> Response:
    """Invite the holder of a card; the answer does not say whether there is such a card."""
    body = {"card_number": request.text("card_number")}
    reply = await request.send("POST", _INVITATIONS, body)
    if reply.done:
        return request.go(_HERE, "invited")
    return await _family(request, reply.refusal(409, 422, 429))


@router.post("/family/invitations/{invitation_id}/acceptance")
async def post_acceptance(request: PatronRequest, invitation_id: str) -> Response:
    """Accept an invitation."""
    path = f"{_INVITATIONS}/{segment(invitation_id)}/acceptance"
    reply = await request.send("POST", path)
    return _gone(request, reply) or request.go(_HERE, "cards-linked")


@router.post("/family/invitations/{invitation_id}/ending")
async def post_invitation_ending(request: PatronRequest, invitation_id: str) -> Response:
    """Withdraw or decline an invitation."""
    reply = await request.send("DELETE", f"{_INVITATIONS}/{segment(invitation_id)}")
    return _gone(request, reply) or request.go(_HERE, "invitation-ended")


@router.post("/family/{member_id}/ending")
async def post_ending(request: PatronRequest, member_id: str) -> Response:
    """End the link with another card."""
    reply = await request.send("DELETE", f"/v1/me/family/{segment(member_id)}")
    return _gone(request, reply) or request.go(_HERE, "cards-unlinked")


@router.get("/family/{member_id}")
async def get_member(request: PatronRequest, member_id: str) -> Response:
    """Show the loans and reservations of a linked card."""
    account, names, branches = await asyncio.gather(
        request.api.get(_account_of(member_id)),
        member_names(request.api),
        branch_names(request.api),
    )
    return request.page(
        "family/family-member.html",
        account=account.json(),
        name=names.get(member_id, ""),
        branches=branches,
    )


@router.post("/family/{member_id}/loans/{loan_id}/renewal")
async def post_renewal(request: PatronRequest, member_id: str, loan_id: str) -> Response:
    """Renew a loan of a linked card; if that charges a fine, the page first shows it and asks."""
    here = _page_of(member_id)
    path = f"/v1/loans/{segment(loan_id)}/renewals"
    account = await request.api.get(_account_of(member_id))
    loans = account.json()["loans"] if account.done else []
    renewed = [loan for loan in loans if loan["id"] == loan_id]
    if not account.done or any(loan["overdue"] for loan in renewed):
        reply = await request.api.send("POST", path, preview="true")
        if refused := _refused(request, reply, here):
            return refused
        effect = reply.json()
        if effect["fine_cents"] > agreed_cents(request):
            response = request.page(
                "family/family-renewing.html", effect=effect, here=here, loan_id=loan_id
            )
            response.headers["HX-Push-Url"] = "false"  # this is a command's address
            return response
    reply = await request.send("POST", path)
    if refused := _refused(request, reply, here):
        return refused
    facts = {"due_on": reply.json()["loan"]["due_on"], "reference": reply.json()["reference"]}
    return request.go(here, FlashMessage("member-renewed", facts))


@router.post("/family/{member_id}/holds/{hold_id}/cancellation")
async def post_cancellation(request: PatronRequest, member_id: str, hold_id: str) -> Response:
    """Cancel a reservation of a linked card."""
    reply = await request.send("DELETE", f"/v1/holds/{segment(hold_id)}")
    if refused := _refused(request, reply, _page_of(member_id)):
        return refused
    return request.go(_page_of(member_id), "member-hold-cancelled")


async def member_names(api: Api) -> dict[str, str]:
    """Return the names of the patrons whose cards are linked, by id; none if they can't be read."""
    reply = await api.get("/v1/me/family")
    links = reply.json()["links"] if reply.done else []
    return {one["patron_id"]: one["name"] for one in links}


async def no_members() -> dict[str, str]:
    """Return no names: those of a visitor who is no patron."""
    return {}


async def _family(request: PageRequest, refused: Failure | None = None) -> Response:
    family: dict[str, Any] = (await request.api.get("/v1/me/family")).json()
    outcome = forms.outcome_of(request, refused)
    return request.page("family/family.html", family=family, **outcome)


def _gone(request: PageRequest, reply: Reply) -> Response | None:
    """Return the response to a command that was refused, on the page of linked cards; else None.

    An invitation or a link may have ended meanwhile.
    """
    if reply.done:
        return None
    if reply.failure().code in _ENDED:
        return request.go(_HERE, request.refusal(reply))
    return request.refused(_HERE, reply)


def _refused(request: PageRequest, reply: Reply, here: str) -> Response | None:
    """Return the response to a command for a linked card that was refused; None if it was not.

    It leads to `here`, the page of that card, or to all linked cards if the link has ended.
    """
    if reply.done or reply.status not in (409, 422) or reply.failure().code in _ENDED:
        return _gone(request, reply)
    message = request.refusal(reply)
    return request.go(here, replace(message, code=OF_MEMBER.get(message.code, message.code)))


def _page_of(member_id: str) -> str:
    return f"{_HERE}/{segment(member_id)}"


def _account_of(member_id: str) -> str:
    return f"/v1/me/family/{segment(member_id)}/account"
