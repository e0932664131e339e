"""Pages of linked cards: invite, accept and end, and the loans and reservations of the others."""

import asyncio
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Api, Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.fields import filled
from services.gateway.web.loans import agreed_cents
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import PatronVisit, Visit
from services.gateway.web.words import OF_MEMBER

router = APIRouter(include_in_schema=False)

_HERE = "/family"
_INVITATIONS = "/v1/me/family-invitations"
_ENDED = ("no-such-invitation", "not-linked", "no-such-loan")
"""Codes of refusals because what the command is about may have ended meanwhile."""


@router.get("/family")
async def get_family(visit: PatronVisit) -> Response:
    """Show the linked cards and the open invitations."""
    return await _family(visit)


@router.post("/family")
async def post_invitation(visit: PatronVisit) -> Response:
    """Invite the holder of a card; the answer does not say whether there is such a card."""
    body = {"card_number": visit.text("card_number")}
    reply = await visit.api.send("POST", _INVITATIONS, body, key=visit.key)
    if reply.done:
        return visit.go(_HERE, FlashMessage("invited", {}))
    failure = reply.failure()
    if failure.status in (409, 422, 429):
        return await _family(visit, failure)
    raise failure


@router.post("/family/invitations/{invitation_id}/acceptance")
async def post_acceptance(visit: PatronVisit, invitation_id: str) -> Response:
    """Accept an invitation."""
    path = f"{_INVITATIONS}/{segment(invitation_id)}/acceptance"
    reply = await visit.api.send("POST", path, key=visit.key)
    return _gone(visit, reply) or visit.go(_HERE, FlashMessage("cards-linked", {}))


@router.post("/family/invitations/{invitation_id}/ending")
async def post_invitation_ending(visit: PatronVisit, invitation_id: str) -> Response:
    """Withdraw or decline an invitation."""
    reply = await visit.api.send(
        "DELETE", f"{_INVITATIONS}/{segment(invitation_id)}", key=visit.key
    )
    return _gone(visit, reply) or visit.go(_HERE, FlashMessage("invitation-ended", {}))


@router.post("/family/{member_id}/ending")
async def post_ending(visit: PatronVisit, member_id: str) -> Response:
    """End the link with another card."""
    reply = await visit.api.send("DELETE", f"/v1/me/family/{segment(member_id)}", key=visit.key)
    return _gone(visit, reply) or visit.go(_HERE, FlashMessage("cards-unlinked", {}))


@router.get("/family/{member_id}")
async def get_member(visit: PatronVisit, member_id: str) -> Response:
    """Show the loans and reservations of a linked card."""
    account, names, branches = await asyncio.gather(
        visit.api.get(_account_of(member_id)),
        member_names(visit.api),
        branch_names(visit.api),
    )
    return visit.page(
        "family-member.html",
        account=account.json(),
        name=names.get(member_id, ""),
        branches=branches,
    )


@router.post("/family/{member_id}/loans/{loan_id}/renewal")
async def post_renewal(visit: PatronVisit, member_id: str, loan_id: str) -> Response:
    """Renew a loan of a linked card; if that charges a fine, the page first shows it and asks."""
    here = _page_of(member_id)
    path = f"/v1/loans/{segment(loan_id)}/renewals"
    account = await visit.api.get(_account_of(member_id))
    loans = account.json()["loans"] if account.done else []
    renewed = [loan for loan in loans if loan["id"] == loan_id]
    if not account.done or any(loan["overdue"] for loan in renewed):
        reply = await visit.api.send("POST", path, preview="true")
        if refused := _refused(visit, reply, here):
            return refused
        effect = reply.json()
        if effect["fine_cents"] > agreed_cents(visit):
            response = visit.page("family-renewing.html", effect=effect, here=here, loan_id=loan_id)
            response.headers["HX-Push-Url"] = "false"  # this is a command's address
            return response
    reply = await visit.api.send("POST", path, key=visit.key)
    if refused := _refused(visit, reply, here):
        return refused
    facts = {"due_on": reply.json()["loan"]["due_on"], "reference": reply.json()["reference"]}
    return visit.go(here, FlashMessage("member-renewed", facts))


@router.post("/family/{member_id}/holds/{hold_id}/cancellation")
async def post_cancellation(visit: PatronVisit, member_id: str, hold_id: str) -> Response:
    """Cancel a reservation of a linked card."""
    reply = await visit.api.send("DELETE", f"/v1/holds/{segment(hold_id)}", key=visit.key)
    if refused := _refused(visit, reply, _page_of(member_id)):
        return refused
    return visit.go(_page_of(member_id), FlashMessage("member-hold-cancelled", {}))


async def member_names(api: Api) -> dict[str, str]:
    """Return the names of the patrons whose cards are linked, by id; none if they can't be read."""
    reply = await api.get("/v1/me/family")
    links = reply.json()["links"] if reply.done else []
    return {one["patron_id"]: one["name"] for one in links}


async def no_members() -> dict[str, str]:
    """Return no names: those of a visitor who is no patron."""
    return {}


async def _family(visit: Visit, refused: Failure | None = None) -> Response:
    family: dict[str, Any] = (await visit.api.get("/v1/me/family")).json()
    return visit.page(
        "family.html",
        status=refused.status if refused else 200,
        family=family,
        refused=refused,
        form=filled(visit, refused),
    )


def of_member(failure: Failure) -> Failure:
    """Return a refusal about a linked card with the code of a text that does not say "you"."""
    code = OF_MEMBER.get(failure.code, failure.code)
    return Failure(failure.status, code, failure.detail, failure.errors)


def _gone(visit: Visit, reply: Reply) -> Response | None:
    """Return the response to a command that was refused, on the page of linked cards; else None.

    An invitation or a link may have ended meanwhile.
    """
    if reply.done:
        return None
    if reply.failure().code in _ENDED:
        return visit.go(_HERE, visit.refusal(reply))
    return visit.refused(_HERE, reply)


def _refused(visit: Visit, reply: Reply, here: str) -> Response | None:
    """Return the response to a command for a linked card that was refused; None if it was not.

    It leads to `here`, the page of that card, or to all linked cards if the link has ended.
    """
    if reply.done or reply.status not in (409, 422) or reply.failure().code in _ENDED:
        return _gone(visit, reply)
    said = visit.refusal(reply)
    return visit.go(here, replace(said, code=OF_MEMBER.get(said.code, said.code)))


def _page_of(member_id: str) -> str:
    return f"{_HERE}/{segment(member_id)}"


def _account_of(member_id: str) -> str:
    return f"/v1/me/family/{segment(member_id)}/account"
