"""Desk page to link the card of a junior with that of a guardian, who agrees to it there."""

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, segment
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    messages={"junior-linked": marked("The two cards are linked.")},
    problems={
        "no-such-guardian": marked("No library card has the number of the parent or guardian."),
        "guardian-not-asked": marked("Please ask the parent or guardian first."),
        "not-junior": marked(
            "Only a junior card is linked here. Others accept an invitation in My Account."
        ),
    },
    at_fault={
        "not-junior": "card_number",
        "no-such-guardian": "guardian_card_number",
        "guardian-not-asked": "agreed",
    },
    fields={
        "guardian_card_number": marked("Card number of the parent or guardian"),
        "agreed": marked("The parent or guardian is here and agrees"),
    },
)


@router.get("/desk/family")
async def get_family(request: DeskRequest) -> Response:
    """Show the form with the two cards."""
    return _page(request)


@router.post("/desk/family")
async def post_family(request: DeskRequest) -> Response:
    """Link the two cards, once the guardian's agreement was ticked."""
    if not request.text("agreed"):
        return _page(request, Failure(422, "guardian-not-asked"))
    junior = await forms.card_holder(request)
    if isinstance(junior, Failure):
        return _page(request, junior)
    path = f"/v1/patrons/{segment(junior['id'])}/family"
    body = {"card_number": request.text("guardian_card_number")}
    reply = await request.send("POST", path, body)
    if reply.done:
        return request.go("/desk/family", "junior-linked")
    refused = forms.refusal(reply)
    if refused and (refused.fields or refused.code == "no-such-patron"):
        refused = Failure(404, "no-such-guardian")
    return _page(request, refused)


def _page(request: PageRequest, refused: Failure | None = None) -> Response:
    return request.page(
        "family/desk-family.html",
        **forms.outcome_of(request, refused),
    )
