"""Page of a patron's library card: its codes for scanners, its validity, and its renewal."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from services.gateway import wallets
from services.gateway.settings import Settings
from services.gateway.web import forms
from services.gateway.web.api import Reply
from services.gateway.web.barcodes import bars, qr
from services.gateway.web.page_request import HEADERS, PageRequest, PatronRequest, Today
from services.gateway.web.pages import Pages
from shared.clock import wall_clock
from shared.translations import marked

router = Pages(
    menus={"patron": [("/card", marked("Library card"))]},
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
    """Show the card for a scanner, until when it is valid, and a form to renew it."""
    return await _page(request, today)


@router.post("/card")
async def post_renewal(request: PatronRequest, today: Today) -> Response:
    """Renew the card, if the patron declares that the address has not changed."""
    body = {"address_unchanged": request.text("address_unchanged") == "yes"}
    reply = await request.send("POST", "/v1/me/card/renewal", body)
    if reply.done:
        return request.go("/card", "card-renewed")
    return await _page(request, today, reply)


@router.get("/card/apple")
async def get_apple_pass(request: PatronRequest) -> Response:
    """Return the card as a file for Apple's wallet."""
    signer = _settings(request).apple_signer()
    if not signer:
        return request.go("/card")
    file = signer.file(await _wallet_card(request))
    more = {"Content-Disposition": 'attachment; filename="card.pkpass"'}
    return Response(file, headers=HEADERS | more, media_type=wallets.APPLE_TYPE)


@router.get("/card/google")
async def get_google_pass(request: PatronRequest) -> Response:
    """Lead to Google's page that saves the card in its wallet."""
    signer = _settings(request).google_signer()
    if not signer:
        return request.go("/card")
    link = signer.link(await _wallet_card(request), request.language.code, wall_clock())
    return RedirectResponse(link, 303, HEADERS)


async def _wallet_card(request: PageRequest) -> wallets.Card:
    card = (await request.api.get("/v1/me/card")).json()
    who, say, ends = request.caller, request.language.say, card["card_expires_on"]
    return wallets.Card(
        id=who.id if who else "",
        number=card["card_number"],
        holder=who.name if who else "",
        title=say("Library card"),
        library=say("Public Libraries"),
        valid_until=(say("Valid until"), date.fromisoformat(ends)) if ends else None,
        zone=request.zone,
    )


def _settings(request: PageRequest) -> Settings:
    settings: Settings = request.http.app.state.settings
    return settings


async def _page(request: PageRequest, today: date, reply: Reply | None = None) -> Response:
    card = (await request.api.get("/v1/me/card")).json()
    return request.page(
        "account/card.html",
        card=card,
        codes=codes_of(card),
        today=today.isoformat(),
        apple=bool(_settings(request).wallet_apple),
        google=bool(_settings(request).wallet_google),
        **forms.outcome(request, reply),
    )


def codes_of(card: Mapping[str, Any]) -> tuple[Markup, Markup]:
    """Return the number of a card as a barcode and as a QR code."""
    return bars(card["card_number"]), qr(card["card_number"])
