"""Desk page of a loan: record a loss, or what became of a claim that the item is back."""

import asyncio

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.words import AT_DESK, OVERRIDABLE
from shared.translations import marked

router = Pages(
    messages={
        "loan-renewed": marked("The loan is renewed."),
        "loss-recorded": marked("The item is recorded as lost. Its charges are below."),
        "claim-recorded": marked(
            "Recorded: the reader says that it is back. Please look for it on the shelves."
        ),
        "claim-rejected": marked("Recorded: it was not found. Its fine counts again."),
    },
    problems={
        "no-claim": marked("Nobody says any more that this item is back."),
        "price-needed": marked("The price of this item is not recorded. Enter it."),
        "bad-price": marked("Enter an amount in dollars, such as 120.00."),
    },
    at_fault={
        "bad-price": "price",
        "price-needed": "price",
    },
    fields={"price": marked("Price in dollars")},
)


@router.get("/desk/loans/{loan_id}")
async def get_loan(request: DeskRequest, loan_id: str) -> Response:
    """Show a loan with the moves of its due date, the days of its fine, and forms to change it."""
    return await _page(request, loan_id)


@router.post("/desk/loans/{loan_id}/renewal")
async def post_renewal(request: DeskRequest, loan_id: str) -> Response:
    """Renew a loan; with a reason, despite a refusal that may be overridden."""
    reason = request.text("override")
    body = {"override": {"reason": reason}} if reason else None
    reply = await request.send("POST", f"{_path(loan_id)}/renewals", body)
    return await _done(request, loan_id, reply, "loan-renewed")


@router.post("/desk/loans/{loan_id}/loss")
async def post_loss(request: DeskRequest, loan_id: str) -> Response:
    """Record an item as lost, with its price if one was entered."""
    cents = forms.cents(request, "price")
    if request.text("price") and cents is None:
        return await _page(request, loan_id, Failure(422, "bad-price"))
    body = None if cents is None else {"price_cents": cents}
    reply = await request.send("POST", f"{_path(loan_id)}/loss", body)
    if not reply.done:
        return await _page(request, loan_id, forms.refusal(reply))
    owing = segment(reply.json()["loan"]["patron_id"])
    return request.go(f"/desk/accounts/{owing}", "loss-recorded")


@router.post("/desk/loans/{loan_id}/claim")
async def post_claim(request: DeskRequest, loan_id: str) -> Response:
    """Record that the reader says that the item is back."""
    body = forms.given(request, "at")
    reply = await request.send("POST", f"{_path(loan_id)}/claim", body)
    return await _done(request, loan_id, reply, "claim-recorded")


@router.post("/desk/loans/{loan_id}/rejection")
async def post_rejection(request: DeskRequest, loan_id: str) -> Response:
    """Record that the item was looked for and not found."""
    reply = await request.send("DELETE", f"{_path(loan_id)}/claim")
    return await _done(request, loan_id, reply, "claim-rejected")


def _path(loan_id: str) -> str:
    return f"/v1/loans/{segment(loan_id)}"


async def _done(request: PageRequest, loan_id: str, reply: Reply, message: str) -> Response:
    if reply.done:
        return request.go(f"/desk/loans/{segment(loan_id)}", message)
    return await _page(request, loan_id, forms.refusal(reply))


async def _page(request: PageRequest, loan_id: str, refused: Failure | None = None) -> Response:
    loan, fine, names = await asyncio.gather(
        request.api.get(_path(loan_id)),
        request.api.get(f"{_path(loan_id)}/fine-statement"),
        branch_names(request.api),
    )
    return request.page(
        "loans/desk-loan.html",
        loan=loan.json(),
        fine=fine.json(),
        branches=names,
        overridable=refused is not None and refused.code in OVERRIDABLE,
        **forms.outcome_of(request, forms.reworded(refused, AT_DESK)),
    )
