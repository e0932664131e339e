"""Page of a patron's library card: until when it is valid, and its renewal."""

from datetime import date

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Reply
from services.gateway.web.page_request import PageRequest, PatronRequest, Today
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    messages={"card-renewed": marked("Your library card is renewed.")},
    problems={
        "card-expired": marked(
            "Your library card has expired. Renew it in My Account or at any library, then you can "
            "borrow, renew and reserve again."
        ),
        "card-not-due": marked("It is too early to renew this card. The day is below."),
        "card-renewed-already": marked("This card was renewed already."),
        "card-does-not-expire": marked("This card does not expire, so there is nothing to renew."),
        "renew-at-library": marked(
            "You can't renew this card here. Bring it and a document with your address to any "
            "library."
        ),
        "address-changed": marked(
            "Tell the staff your new address at any library. They renew your card there."
        ),
        "no-card-terms": marked(
            "It is not set for how long cards of this kind are valid. At any library the staff can "
            "enter a day."
        ),
    },
    at_fault={"address-changed": "address_unchanged"},
    fields={"address_unchanged": marked("My address has not changed")},
)


@router.get("/card")
async def get_card(request: PatronRequest, today: Today) -> Response:
    """Show until when the card is valid, and a form to renew it."""
    return await _page(request, today)


@router.post("/card")
async def post_renewal(request: PatronRequest, today: Today) -> Response:
    """Renew the card, if the patron declares that the address has not changed."""
    body = {"address_unchanged": request.text("address_unchanged") == "yes"}
    reply = await request.send("POST", "/v1/me/card/renewal", body)
    if reply.done:
        return request.go("/card", "card-renewed")
    return await _page(request, today, reply)


async def _page(request: PageRequest, today: date, reply: Reply | None = None) -> Response:
    card = await request.api.get("/v1/me/card")
    return request.page(
        "account/card.html",
        card=card.json(),
        today=today.isoformat(),
        **forms.outcome(request, reply),
    )
