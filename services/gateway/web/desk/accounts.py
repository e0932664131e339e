"""Desk pages of a patron's account: find it by its card, change it, settle its charges."""

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Api, Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import CATEGORIES, OF_REFUND
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

PATH = "/v1/patrons"
_DETAILS = ("name", "category", "home_branch", "language")
_CONTACT = ("email", "phone")
_FORMS = ("payment", "details", "pin", "card", "block", "unblock")


@router.get("/desk/accounts")
async def get_accounts(visit: DeskVisit) -> Response:
    """Show the form to find an account by its card."""
    return visit.page("desk/accounts.html", **forms.outcome(visit, None))


@router.post("/desk/accounts")
async def post_search(visit: DeskVisit) -> Response:
    """Go to the account of a card."""
    patron = await forms.card_holder(visit)
    if isinstance(patron, Failure):
        return visit.page("desk/accounts.html", **forms.outcome_of(visit, patron))
    return visit.go(_page_of(patron["id"]))


@router.get("/desk/accounts/{patron_id}")
async def get_account(visit: DeskVisit, patron_id: str) -> Response:
    """Show an account, with a form for each change."""
    return await _account(visit, patron_id)


@router.post("/desk/accounts/{patron_id}/details")
async def post_details(visit: DeskVisit, patron_id: str) -> Response:
    """Change what was changed in the form; other changes since it was opened stay."""
    body: dict[str, Any] = {name: visit.text(name) for name in _DETAILS if _changed(visit, name)}
    if _changed(visit, "born_on"):
        body["born_on"] = visit.text("born_on") or None
    if contact := {name: visit.text(name) or None for name in _CONTACT if _changed(visit, name)}:
        body["contact"] = contact
    if not body:
        return visit.go(_page_of(patron_id), FlashMessage("nothing-changed", {}))
    return await _amend(visit, patron_id, body, "account-changed")


@router.post("/desk/accounts/{patron_id}/pin")
async def post_pin(visit: DeskVisit, patron_id: str) -> Response:
    """Replace a forgotten PIN."""
    return await _amend(visit, patron_id, {"pin": visit.text("pin")}, "patron-pin-changed")


@router.post("/desk/accounts/{patron_id}/card")
async def post_card(visit: DeskVisit, patron_id: str) -> Response:
    """Replace a lost card."""
    body = {"card_number": visit.text("card_number")}
    return await _amend(visit, patron_id, body, "card-replaced")


@router.post("/desk/accounts/{patron_id}/block")
async def post_block(visit: DeskVisit, patron_id: str) -> Response:
    """Block an account."""
    return await _block(visit, patron_id, "block", "account-blocked")


@router.post("/desk/accounts/{patron_id}/unblock")
async def post_unblock(visit: DeskVisit, patron_id: str) -> Response:
    """End the block of an account."""
    return await _block(visit, patron_id, "unblock", "account-unblocked")


@router.post("/desk/accounts/{patron_id}/payment")
async def post_payment(visit: DeskVisit, patron_id: str) -> Response:
    """Record that the selected charges were paid in cash, in full or in part."""
    charges = visit.texts("charge")
    if not charges:
        return visit.go(_page_of(patron_id), FlashMessage("nothing-chosen", {}, went_well=False))
    path = f"{PATH}/{segment(patron_id)}/payments"
    shown = sum(_shown_cents(visit, f"cents-{charge_id}") for charge_id in charges)
    taken = forms.cents(visit, "taken") if visit.text("taken") else shown
    if not taken:
        return visit.go(_page_of(patron_id), FlashMessage("bad-amount", {}, went_well=False))
    body = {"charge_ids": charges, "amount_cents": taken, "shown_cents": shown}
    reply = await visit.api.send("POST", path, body, key=visit.key)
    if not reply.done:
        return await _account(visit, patron_id, reply)
    said = FlashMessage("cash-recorded", {"paid_cents": reply.json()["amount_cents"]})
    return visit.go(_page_of(patron_id), said)


@router.get("/desk/charges/{charge_id}")
async def get_charge(visit: DeskVisit, charge_id: str) -> Response:
    """Show a charge with its statement and entries, and forms to waive it or give a refund."""
    return await _charge(visit, charge_id)


@router.post("/desk/charges/{charge_id}")
async def post_waiver(visit: DeskVisit, charge_id: str) -> Response:
    """Waive a charge or a part of it."""
    cents = forms.cents(visit, "amount")
    if not cents:
        return await _charge(visit, charge_id, Failure(422, "bad-amount", "", []))
    body = {"amount_cents": cents, "reason": visit.text("reason")}
    path = f"/v1/charges/{segment(charge_id)}/waiver"
    reply = await visit.api.send("POST", path, body, key=visit.key)
    if not reply.done:
        return await _charge(visit, charge_id, forms.refusal(reply))
    said = FlashMessage("charge-waived", {"waived_cents": cents})
    return visit.go(_page_of(reply.json()["patron_id"]), said)


@router.post("/desk/charges/{charge_id}/refund")
async def post_refund(visit: DeskVisit, charge_id: str) -> Response:
    """Give back the refund due on a charge, or record that it was given in cash."""
    path = f"/v1/charges/{segment(charge_id)}/refund"
    body = {"amount_cents": _shown_cents(visit, "cents")}
    reply = await visit.api.send("POST", path, body, key=visit.key)
    if not reply.done:
        return await _charge(visit, charge_id, forms.refusal(reply))
    refund = reply.json()
    said = f"refund-{refund['state']}"
    facts = {"refunded_cents": refund["amount_cents"]}
    return visit.go(f"/desk/charges/{segment(charge_id)}", FlashMessage(said, facts))


def _page_of(patron_id: str) -> str:
    return f"/desk/accounts/{segment(patron_id)}"


def _shown_cents(visit: Visit, name: str) -> int:
    """Return the cents that the page showed; 0, which the API refuses, if they are no number."""
    return forms.seen(visit, name) or 0


def _changed(visit: Visit, name: str) -> bool:
    return visit.text(name) != visit.text(f"former_{name}")


async def _amend(visit: Visit, patron_id: str, body: dict[str, Any], said: str) -> Response:
    reply = await visit.api.send("PATCH", f"{PATH}/{segment(patron_id)}", body)
    return await _done(visit, patron_id, reply, said)


async def _block(visit: Visit, patron_id: str, change: str, said: str) -> Response:
    path = f"{PATH}/{segment(patron_id)}/{change}"
    reply = await visit.api.send("POST", path, {"reason": visit.text("reason")}, key=visit.key)
    return await _done(visit, patron_id, reply, said)


async def _done(visit: Visit, patron_id: str, reply: Reply, said: str) -> Response:
    if reply.done:
        return visit.go(_page_of(patron_id), FlashMessage(said, {}))
    return await _account(visit, patron_id, reply)


async def _account(visit: Visit, patron_id: str, reply: Reply | None = None) -> Response:
    found, loans, money, names, categories = await asyncio.gather(
        visit.api.get(f"{PATH}/{segment(patron_id)}"),
        _not_back(visit.api, patron_id),
        _money(visit.api, patron_id),
        branch_names(visit.api),
        forms.categories(visit.api),
    )
    patron = found.json()
    kind, home = patron["category"], patron["home_branch"]
    return visit.page(
        "desk/account.html",
        patron=patron,
        by_staff="staff" in patron["blocked_by"],
        by_money=money.blocked if money else "money" in patron["blocked_by"],
        loans=loans,
        charges=money and money.unsettled,
        # A choice that nobody knows here stays the chosen one.
        branches={**names, home: names.get(home, home)},
        categories={**categories, kind: CATEGORIES.get(kind, kind)},
        **forms.outcomes(visit, reply, *_FORMS),
    )


@dataclass(frozen=True)
class _Money:
    """A patron's charges, and what circulation decides from them at this moment."""

    unsettled: list[dict[str, Any]]
    """Charges to be paid or to be given back."""
    blocked: bool
    """True if the patron owes too much to borrow. accounts learns of it a moment later."""


async def _not_back(api: Api, patron_id: str) -> list[dict[str, Any]] | None:
    """Return the loans that have not been returned; None if they can't be read at the moment."""
    loans = await _every(api, "/v1/loans", patron=patron_id)
    return None if loans is None else [loan for loan in loans["items"] if not loan["returned_on"]]


async def _money(api: Api, patron_id: str) -> _Money | None:
    """Return what a patron owes or is owed; None if it can't be read at the moment."""
    charges = await _every(api, f"{PATH}/{segment(patron_id)}/charges")
    if charges is None:
        return None
    open_ones = [
        charge
        for charge in charges["items"]
        if charge["outstanding_cents"] or charge["refund_due_cents"]
    ]
    return _Money(open_ones, charges["blocked"])


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


async def _charge(visit: Visit, charge_id: str, refused: Failure | None = None) -> Response:
    found = (await visit.api.get(f"/v1/charges/{segment(charge_id)}")).json()
    shown = forms.outcome_of(visit, forms.reworded(refused, OF_REFUND))
    return visit.page("desk/charge.html", charge=found, **shown)
