"""Pages of loans: renew, show fines day by day, report as returned or lost."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import PatronVisit, Visit

router = APIRouter(include_in_schema=False)

MOST_SHOWN = 12


@router.post("/renewals")
async def post_renewals(visit: PatronVisit) -> Response:
    """Renew one loan, the selected ones, or all; each succeeds or fails alone.

    If a renewal charges fines, the page first shows them and asks, also if the account can't be
    shown.
    """
    chosen = visit.texts("loan")
    if not (chosen or visit.text("all")):
        return visit.go("/", FlashMessage("nothing-chosen", {}, went_well=False))
    body = None if visit.text("all") else {"loan_ids": chosen}
    overview = await visit.api.get("/v1/me")
    loans = overview.json()["loans"] if overview.done else []
    renewed = [loan for loan in loans if body is None or loan["id"] in chosen]
    if not overview.done or any(loan["overdue"] for loan in renewed):
        reply = await visit.api.send("POST", "/v1/me/renewals", body, preview="true")
        effect = reply.json()
        if effect["fine_cents"] > agreed_cents(visit):
            return _ask(visit, effect, loans)
    reply = await visit.api.send("POST", "/v1/me/renewals", body, key=visit.key)
    results = reply.json()["results"]
    if not results:
        return visit.go("/", FlashMessage("nothing-to-renew", {}, went_well=False))
    titles = {loan["id"]: _title(loan) for loan in loans}
    return visit.go("/", *renewal_messages(results, titles))


def agreed_cents(visit: Visit) -> int:
    """Return the fines, in cents, that the patron has agreed to."""
    typed = visit.number("agreed_cents")
    return typed if isinstance(typed, int) else 0


def _ask(visit: Visit, effect: Mapping[str, Any], loans: Iterable[Mapping[str, Any]]) -> Response:
    """Show the fines of a renewal, with a form that agrees to exactly that amount."""
    response = visit.page(
        "renewing.html",
        effects=[result["effect"] for result in effect["results"] if result["ok"]],
        fine_cents=effect["fine_cents"],
        titles={loan["id"]: _title(loan) for loan in loans},
        everything=visit.text("all"),
        chosen=visit.texts("loan"),
    )
    response.headers["HX-Push-Url"] = "false"  # this is a command's address
    return response


def _title(loan: Mapping[str, Any]) -> str:
    return str(loan["title"] or loan["barcode"])


def renewal_messages(
    results: list[dict[str, Any]], titles: Mapping[str, str]
) -> list[FlashMessage]:
    """Return a message for each loan, those not renewed first; each reason is given once."""
    ordered = sorted(results, key=lambda result: (bool(result["ok"]), _problem(result)))
    before: Mapping[str, Any] = {}
    messages = []
    for result in ordered[:MOST_SHOWN]:
        same = not result["ok"] and _problem(result) == _problem(before)
        messages.append(_of_renewal(result, titles.get(result["loan_id"], "…"), same=same))
        before = result
    left = len(ordered) - MOST_SHOWN
    return [*messages, FlashMessage("and-more", {"count": left})] if left > 0 else messages


def _problem(result: Mapping[str, Any]) -> str:
    """Return the code of a refused renewal; "" if it was not refused."""
    return str((result.get("problem") or {}).get("code", ""))


def _of_renewal(result: Mapping[str, Any], title: str, *, same: bool) -> FlashMessage:
    """Return the message for a loan; `same` if it was refused like the one before it."""
    if same:
        return FlashMessage("not-renewed-either", {"title": title}, went_well=False)
    if not result["ok"]:
        problem = _problem(result)
        return FlashMessage("not-renewed", {"title": title, "problem": problem}, went_well=False)
    facts = {"title": title, "due_on": result["loan"]["due_on"], "reference": result["reference"]}
    if not result["charge"]:
        return FlashMessage("renewed", facts)
    return FlashMessage(
        "renewed-charged", {**facts, "fine_cents": result["charge"]["amount_cents"]}
    )


@router.get("/loans/{loan_id}")
async def get_loan(visit: PatronVisit, loan_id: str) -> Response:
    """Show a loan with the moves of its due date, the days of its fine, and forms to report it."""
    path = f"/v1/loans/{segment(loan_id)}"
    loan, fine, names = await asyncio.gather(
        visit.api.get(path), visit.api.get(f"{path}/fine-statement"), branch_names(visit.api)
    )
    return visit.page("loan.html", loan=loan.json(), fine=fine.json(), branches=names)


@router.post("/loans/{loan_id}/claim")
async def post_claim(visit: PatronVisit, loan_id: str) -> Response:
    """Report an item as returned."""
    return await _about_loan(visit, loan_id, "claim", "claimed")


@router.post("/loans/{loan_id}/loss")
async def post_loss(visit: PatronVisit, loan_id: str) -> Response:
    """Report an item as lost."""
    return await _about_loan(visit, loan_id, "loss", "declared-lost")


async def _about_loan(visit: Visit, loan_id: str, what: str, message: str) -> Response:
    path = f"/v1/loans/{segment(loan_id)}/{what}"
    reply = await visit.api.send("POST", path, key=visit.key)
    if not reply.done:
        return visit.refused(f"/loans/{segment(loan_id)}", reply)
    return visit.go("/", FlashMessage(message, {}))
