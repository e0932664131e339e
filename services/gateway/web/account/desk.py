"""Desk pages of a patron's account: find it by its card, change it, take cash."""

import asyncio
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Api, Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from services.gateway.web.words import CATEGORIES
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
        "cash-recorded": marked("A payment of %(paid_cents)s in cash is recorded."),
    },
    problems={
        "already-blocked": marked("The staff have blocked this account already."),
        "not-blocked": marked(
            "The staff have not blocked this account. A reader who owes too much can borrow again "
            "after paying."
        ),
        "not-provisional": marked("This card is not a provisional one."),
        "card-taken": marked("This card number belongs to another account."),
    },
    at_fault={"card-taken": "card_number"},
)


PATH = "/v1/patrons"
_DETAILS = ("name", "category", "home_branch", "language")
_CONTACT = ("email", "phone")
_ADDRESS = ("lines", "locality", "country")
_FORMS = ("payment", "details", "pin", "card", "block", "unblock", "renewal", "verification")


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
    return await _account(request, patron_id)


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


@router.post("/desk/accounts/{patron_id}/payment")
async def post_payment(request: DeskRequest, patron_id: str) -> Response:
    """Record that the selected charges were paid in cash, in full or in part."""
    charges = request.texts("charge")
    if not charges:
        return request.go(
            page_of_account(patron_id), FlashMessage("nothing-chosen", went_well=False)
        )
    path = f"{PATH}/{segment(patron_id)}/payments"
    shown = sum(forms.seen(request, f"cents-{charge_id}") or 0 for charge_id in charges)
    taken = forms.cents(request, "taken") if request.text("taken") else shown
    if not taken:
        return request.go(page_of_account(patron_id), FlashMessage("bad-amount", went_well=False))
    body = {"charge_ids": charges, "amount_cents": taken, "shown_cents": shown}
    reply = await request.send("POST", path, body)
    if not reply.done:
        return await _account(request, patron_id, reply)
    message = FlashMessage("cash-recorded", {"paid_cents": reply.json()["amount_cents"]})
    return request.go(page_of_account(patron_id), message)


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
    return await _account(request, patron_id, reply)


async def _account(request: PageRequest, patron_id: str, reply: Reply | None = None) -> Response:
    path = f"{PATH}/{segment(patron_id)}"
    found, loans, charges, names, categories = await asyncio.gather(
        request.api.get(path),
        _every(request.api, "/v1/loans", patron=patron_id, out_only="true"),
        _every(request.api, f"{path}/charges", open_only="true"),
        branch_names(request.api),
        forms.categories(request.api),
    )
    patron = found.json()
    kind, home = patron["category"], patron["home_branch"]
    return request.page(
        "account/desk-account.html",
        patron=patron,
        card_expired=_has_expired(request, patron["card_expires_on"]),
        by_staff="staff" in patron["blocked_by"],
        # Circulation decides it at this moment; accounts learns of it a moment later.
        by_money=charges["blocked"] if charges else "money" in patron["blocked_by"],
        loans=loans and loans["items"],
        charges=charges and charges["items"],
        # A choice that nobody knows here stays the chosen one.
        branches={**names, home: names.get(home, home)},
        categories={**categories, kind: CATEGORIES.get(kind, kind)},
        **forms.outcomes(request, reply, *_FORMS),
    )


def _has_expired(request: PageRequest, expires_on: str | None) -> bool:
    today = library_day(business_time(request.http), request.zone)
    return expires_on is not None and expires_on < today.isoformat()


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
