"""Desk page of a loan: see it, record that it is lost or said to be back, and reject that."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import OF_LOAN
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/desk/loans/{loan_id}")
async def get_loan(visit: DeskVisit, loan_id: str) -> Response:
    """Show a loan with the moves of its due date, the days of its fine, and forms to change it."""
    return await _page(visit, loan_id)


@router.post("/desk/loans/{loan_id}/loss")
async def post_loss(visit: DeskVisit, loan_id: str) -> Response:
    """Record an item as lost, with its price if one was entered."""
    cents = forms.cents(visit, "price")
    if visit.text("price") and cents is None:
        return await _page(visit, loan_id, Failure(422, "bad-price", "", []))
    body = None if cents is None else {"price_cents": cents}
    reply = await visit.api.send("POST", f"{_path(loan_id)}/loss", body, key=visit.key)
    if not reply.done:
        return await _page(visit, loan_id, forms.refusal(reply))
    owing = segment(reply.json()["loan"]["patron_id"])
    return visit.go(f"/desk/accounts/{owing}", FlashMessage("loss-recorded", {}))


@router.post("/desk/loans/{loan_id}/claim")
async def post_claim(visit: DeskVisit, loan_id: str) -> Response:
    """Record that the reader says that the item is back."""
    body = forms.given(visit, "at")
    reply = await visit.api.send("POST", f"{_path(loan_id)}/claim", body, key=visit.key)
    return await _done(visit, loan_id, reply, "claim-recorded")


@router.post("/desk/loans/{loan_id}/rejection")
async def post_rejection(visit: DeskVisit, loan_id: str) -> Response:
    """Record that the item was looked for and not found."""
    reply = await visit.api.send("DELETE", f"{_path(loan_id)}/claim", key=visit.key)
    return await _done(visit, loan_id, reply, "claim-rejected")


def _path(loan_id: str) -> str:
    return f"/v1/loans/{segment(loan_id)}"


async def _done(visit: Visit, loan_id: str, reply: Reply, said: str) -> Response:
    if reply.done:
        return visit.go(f"/desk/loans/{segment(loan_id)}", FlashMessage(said, {}))
    return await _page(visit, loan_id, forms.refusal(reply))


async def _page(visit: Visit, loan_id: str, refused: Failure | None = None) -> Response:
    loan, fine, names = await asyncio.gather(
        visit.api.get(_path(loan_id)),
        visit.api.get(f"{_path(loan_id)}/fine-statement"),
        branch_names(visit.api),
    )
    shown = forms.outcome_of(visit, forms.reworded(refused, OF_LOAN))
    return visit.page("desk/loan.html", loan=loan.json(), fine=fine.json(), branches=names, **shown)
