"""Desk page of a patron's account: find it by its card, see all of it, change what accounts has."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Api, Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.messages.desk import ABOUT, DELIVERY_CHANNELS, DELIVERY_STATES
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.words import AT_DESK, CATEGORIES
from shared.clock import library_day
from shared.http.dependencies import business_time
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/accounts", marked("Accounts"))]},
    messages={
        "account-changed": marked("The account is changed."),
        "nothing-changed": marked("Nothing was changed."),
        "patron-pin-changed": marked("The PIN is changed. The reader is logged out everywhere."),
        "card-replaced": marked(
            "The new card is recorded. The former one can't be used any more, and the reader is "
            "logged out everywhere."
        ),
        "account-blocked": marked("The account is blocked. The reader is logged out everywhere."),
        "account-unblocked": marked("The account is no longer blocked by the staff."),
        "reader-card-renewed": marked("The card is renewed."),
        "reader-verified": marked("The reader has a full card now."),
        "note-added": marked("The note is added."),
        "note-deleted": marked("The note is deleted."),
    },
    problems={
        "already-blocked": marked("The staff have blocked this account already."),
        "not-blocked": marked(
            "The staff have not blocked this account. A reader who owes too much can borrow again "
            "after paying."
        ),
        "reader-card-without-terms": marked(
            "It is not set for how long cards of this kind are valid. Enter a day under Details."
        ),
        "not-provisional": marked("This card is not a provisional one."),
        "card-taken": marked("This card number belongs to another account."),
        "no-such-note": marked("There is no such note. It may have been deleted."),
        "reader-renewal-limit": marked("The renewal limit of this item is reached."),
        "reader-claimed": marked("The reader has said that it is back. Look for it first."),
        "reader-hold-exists": marked("The reader has reserved this title already."),
        "reader-has-title": marked("The reader has this title on loan."),
        "reader-hold-limit": marked("The reader has reached the limit of reservations."),
        "hold-kept-already": marked(
            "A copy is already kept for this reservation or on its way, so it can't be changed."
        ),
    },
    at_fault={"card-taken": "card_number"},
)


PATH = "/v1/patrons"
_DETAILS = ("name", "category", "home_branch", "language")
_CONTACT = ("email", "phone")
_ADDRESS = ("lines", "locality", "country")
_FORMS = (
    *("loans", "holds", "hold", "payment", "note", "details"),
    *("pin", "card", "block", "unblock", "renewal", "verification"),
)
_PAYMENTS = "20"
_DELIVERIES = "5"
"""Numbers of payments and of messages that the page shows; other pages have all."""


@router.get("/desk/accounts")
async def get_accounts(request: DeskRequest) -> Response:
    """Show the form to find an account by its card."""
    return request.page("account/desk-accounts.html", **forms.outcome(request, None))


@router.post("/desk/accounts")
async def post_search(request: DeskRequest) -> Response:
    """Go to the account of a card."""
    patron = await forms.card_holder(request)
    if isinstance(patron, Failure):
        return request.page("account/desk-accounts.html", **forms.outcome_of(request, patron))
    return request.go(page_of_account(patron["id"]))


@router.get("/desk/accounts/{patron_id}")
async def get_account(request: DeskRequest, patron_id: str) -> Response:
    """Show an account, with a form for each change."""
    return await show_account(request, patron_id)


@router.post("/desk/accounts/{patron_id}/details")
async def post_details(request: DeskRequest, patron_id: str) -> Response:
    """Change what was changed in the form; other changes since it was opened stay."""
    body: dict[str, Any] = {
        name: request.text(name) for name in _DETAILS if _changed(request, name)
    }
    if _changed(request, "born_on"):
        body["born_on"] = request.text("born_on") or None
    if _changed(request, "card_expires_on"):
        body["card_expires_on"] = request.text("card_expires_on") or None
    contact: dict[str, Any] = {
        name: request.text(name) or None for name in _CONTACT if _changed(request, name)
    }
    if any(_changed(request, name) for name in _ADDRESS):
        contact["postal_address"] = forms.postal_address(request)
    if contact:
        body["contact"] = contact
    if not body:
        return request.go(page_of_account(patron_id), "nothing-changed")
    return await _amend(request, patron_id, body, "account-changed")


@router.post("/desk/accounts/{patron_id}/pin")
async def post_pin(request: DeskRequest, patron_id: str) -> Response:
    """Replace a forgotten PIN."""
    return await _amend(request, patron_id, {"pin": request.text("pin")}, "patron-pin-changed")


@router.post("/desk/accounts/{patron_id}/card")
async def post_card(request: DeskRequest, patron_id: str) -> Response:
    """Replace a lost card."""
    body = {"card_number": request.text("card_number")}
    return await _amend(request, patron_id, body, "card-replaced")


@router.post("/desk/accounts/{patron_id}/renewal")
async def post_card_renewal(request: DeskRequest, patron_id: str) -> Response:
    """Renew the card for another period."""
    reply = await request.send("POST", f"{PATH}/{segment(patron_id)}/card/renewal")
    return await _done(request, patron_id, reply, "reader-card-renewed")


@router.post("/desk/accounts/{patron_id}/verification")
async def post_verification(request: DeskRequest, patron_id: str) -> Response:
    """Turn a provisional card into a full one, with another number if one was entered."""
    path = f"{PATH}/{segment(patron_id)}/verification"
    reply = await request.send("POST", path, forms.given(request, "card_number"))
    return await _done(request, patron_id, reply, "reader-verified")


@router.post("/desk/accounts/{patron_id}/block")
async def post_block(request: DeskRequest, patron_id: str) -> Response:
    """Block an account."""
    return await _block(request, patron_id, "block", "account-blocked")


@router.post("/desk/accounts/{patron_id}/unblock")
async def post_unblock(request: DeskRequest, patron_id: str) -> Response:
    """End the block of an account."""
    return await _block(request, patron_id, "unblock", "account-unblocked")


@router.post("/desk/accounts/{patron_id}/note")
async def post_note(request: DeskRequest, patron_id: str) -> Response:
    """Add a note of the staff."""
    path = f"{PATH}/{segment(patron_id)}/notes"
    reply = await request.send("POST", path, {"text": request.text("text")})
    return await _done(request, patron_id, reply, "note-added")


@router.post("/desk/accounts/{patron_id}/note-removal")
async def post_note_removal(request: DeskRequest, patron_id: str) -> Response:
    """Delete a note of the staff."""
    path = f"{PATH}/{segment(patron_id)}/notes/{segment(request.text('note') or '-')}"
    return await _done(request, patron_id, await request.send("DELETE", path), "note-deleted")


def page_of_account(patron_id: str) -> str:
    """Return the path of the page of an account."""
    return f"/desk/accounts/{segment(patron_id)}"


def _changed(request: PageRequest, name: str) -> bool:
    return request.text(name) != request.text(f"former_{name}")


async def _amend(
    request: PageRequest, patron_id: str, body: dict[str, Any], message: str
) -> Response:
    reply = await request.api.send("PATCH", f"{PATH}/{segment(patron_id)}", body)
    return await _done(request, patron_id, reply, message)


async def _block(request: PageRequest, patron_id: str, change: str, message: str) -> Response:
    path = f"{PATH}/{segment(patron_id)}/{change}"
    reply = await request.send("POST", path, {"reason": request.text("reason")})
    return await _done(request, patron_id, reply, message)


async def _done(request: PageRequest, patron_id: str, reply: Reply, message: str) -> Response:
    if reply.done:
        return request.go(page_of_account(patron_id), message)
    return await show_account(request, patron_id, forms.refusal(reply))


async def show_account(
    request: PageRequest,
    patron_id: str,
    refused: Failure | None = None,
    *,
    attempts: Mapping[str, Mapping[str, Any]] | None = None,
    **shown: Any,
) -> Response:
    """Show the account as its owners have it now, with the refusal of the form that was sent.

    `attempts` are the problems of chosen loans and holds, by id. What a patron owes, and whether it
    blocks them, is circulation's to say: accounts learns of it a moment later.
    """
    path, api = f"{PATH}/{segment(patron_id)}", request.api
    (
        (found, loans, holds, charges, names),
        (payments, deliveries, notes, family, kinds),
    ) = await asyncio.gather(
        asyncio.gather(
            api.get(path),
            _every(api, "/v1/loans", patron=patron_id, out_only="true"),
            _every(api, "/v1/holds", patron=patron_id),
            _every(api, f"{path}/charges", open_only="true"),
            branch_names(api),
        ),
        asyncio.gather(
            _items(api, f"{path}/payments", limit=_PAYMENTS),
            _items(api, "/v1/deliveries", patron=patron_id, limit=_DELIVERIES),
            _items(api, f"{path}/notes"),
            _items(api, f"{path}/family"),
            forms.categories(api),
        ),
    )
    patron = found.json()
    kind, home = patron["category"], patron["home_branch"]
    today = library_day(business_time(request.http), request.zone).isoformat()
    expires_on = patron["card_expires_on"]
    of_page: dict[str, Any] = {
        "attempts": attempts or {},
        "titles": (),
        "volumes": (),
        "wanted": "",
        "hold_refused": False,
        "left_cents": 0,
    }
    return request.page(
        "account/desk-account.html",
        patron=patron,
        today=today,
        card_expired=expires_on is not None and expires_on < today,
        by_staff="staff" in patron["blocked_by"],
        by_money=charges["blocked"] if charges else None,
        loans=loans and sorted(loans["items"], key=lambda loan: str(loan["due_on"])),
        holds=holds and holds["items"],
        charges=charges and charges["items"],
        payments=payments,
        deliveries=deliveries,
        notes=notes,
        linked=family,
        paid=request.http.query_params.get("paid", ""),
        place=forms.desk_branch(request, names),
        about=ABOUT,
        channels=DELIVERY_CHANNELS,
        states=DELIVERY_STATES,
        # A choice that nobody knows here stays the chosen one.
        branches={**names, home: names.get(home, home)},
        categories={**kinds, kind: CATEGORIES.get(kind, kind)},
        **{**of_page, **shown},
        **forms.outcomes_of(request, forms.reworded(refused, AT_DESK), *_FORMS),
    )


async def _items(api: Api, path: str, **query: str) -> list[dict[str, Any]] | None:
    """Return the items of the first page of a list; None if it can't be read now."""
    reply = await api.get(path, **query)
    items: list[dict[str, Any]] | None = reply.json()["items"] if reply.done else None
    return items


async def _every(api: Api, path: str, **query: str) -> dict[str, Any] | None:
    """Return the last page with the items of all pages; None if one can't be read now."""
    items: list[dict[str, Any]] = []
    query["limit"] = "200"
    while True:
        reply = await api.get(path, **query)
        if not reply.done:
            return None
        found: dict[str, Any] = reply.json()
        items += found["items"]
        if not found["next"]:
            return found | {"items": items}
        query["after"] = found["next"]
