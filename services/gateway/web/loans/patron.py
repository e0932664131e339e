"""Pages of loans: renew, show fines day by day, report as returned or lost."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import Response

from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import PageRequest, PatronRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    messages={
        "renewed": marked("%(title)s: renewed until %(due_on)s. Reference %(reference)s."),
        "renewed-charged": marked(
            "%(title)s: renewed until %(due_on)s. Reference %(reference)s. You've been "
            "fined %(fine_cents)s for the overdue days."
        ),
        "not-renewed": marked("%(title)s: not renewed. %(problem)s %(ways_out)s"),
        "not-renewed-either": marked("%(title)s: not renewed either."),
        "nothing-to-renew": marked("There is nothing to renew."),
        "and-more": marked("%(count)s more items are not listed here. See their due dates below."),
        "claimed": marked(
            "Thank you. The library is looking for the item. No fine is added in the meantime."
        ),
        "declared-lost": marked(
            "You've reported this item as lost. See what it costs under Charges."
        ),
    },
    problems={
        "no-such-loan": marked("This loan was not found. It may have ended."),
        "loan-not-open": marked("This item has been returned already."),
        "loan-lost": marked("This item is recorded as lost. Please ask the staff."),
        "loan-claimed": marked(
            "You've told us that you returned it. The library is looking for it."
        ),
        "renewal-limit": marked("You've reached the renewal limit for this item."),
        "nothing-to-gain": marked("Renewing it now would not change the due date."),
        "hold-waiting": marked("Another reader is waiting for it."),
        "patron-blocked": marked(
            "Your account is blocked, so you can't borrow, renew or reserve. My Account says what "
            "to do."
        ),
        "price-unknown": marked("The price of this item is not recorded. Please ask the staff."),
    },
)


MOST_SHOWN = 12


@router.post("/renewals")
async def post_renewals(request: PatronRequest) -> Response:
    """Renew one loan, the selected ones, or all; each succeeds or fails alone.

    If a renewal charges fines, the page first shows them and asks, also if the account can't be
    shown.
    """
    chosen = request.texts("loan")
    if not (chosen or request.text("all")):
        return request.go("/", FlashMessage("nothing-chosen", went_well=False))
    body = None if request.text("all") else {"loan_ids": chosen}
    overview = await request.api.get("/v1/me")
    loans = overview.json()["loans"] if overview.done else []
    renewed = [loan for loan in loans if body is None or loan["id"] in chosen]
    if not overview.done or any(loan["overdue"] for loan in renewed):
        reply = await request.api.send("POST", "/v1/me/renewals", body, preview="true")
        effect = reply.json()
        if effect["fine_cents"] > agreed_cents(request):
            return _ask(request, effect, loans)
    reply = await request.send("POST", "/v1/me/renewals", body)
    results = reply.json()["results"]
    if not results:
        return request.go("/", FlashMessage("nothing-to-renew", went_well=False))
    titles = {loan["id"]: _title(loan) for loan in loans}
    return request.go("/", *renewal_messages(results, titles))


def agreed_cents(request: PageRequest) -> int:
    """Return the fines, in cents, that the patron has agreed to."""
    typed = request.number("agreed_cents")
    return typed if isinstance(typed, int) else 0


def _ask(
    request: PageRequest, effect: Mapping[str, Any], loans: Iterable[Mapping[str, Any]]
) -> Response:
    """Show the fines of a renewal, with a form that agrees to exactly that amount."""
    effects = [result["effect"] for result in effect["results"] if result["ok"]]
    response = request.page(
        "loans/renewing.html",
        effects=effects,
        free=[one["loan_id"] for one in effects if not one["fine_cents"]],
        fine_cents=effect["fine_cents"],
        titles={loan["id"]: _title(loan) for loan in loans},
        everything=request.text("all"),
        chosen=request.texts("loan"),
    )
    response.headers["HX-Push-Url"] = "false"  # this is a command's address
    return response


def _title(loan: Mapping[str, Any]) -> str:
    return str(loan["title"] or loan["barcode"])


def renewal_messages(
    results: list[dict[str, Any]], titles: Mapping[str, str]
) -> list[FlashMessage]:
    """Return a message for each loan, those not renewed first; each reason is given once."""
    ordered = sorted(results, key=lambda one: (bool(one["ok"]), _problem(one), str(_ways_out(one))))
    before: Mapping[str, Any] = {}
    messages = []
    for result in ordered[:MOST_SHOWN]:
        same = not result["ok"] and _problem(result) == _problem(before)
        same = same and _ways_out(result) == _ways_out(before)
        messages.append(_of_renewal(result, titles.get(result["loan_id"], "…"), same=same))
        before = result
    left = len(ordered) - MOST_SHOWN
    return [*messages, FlashMessage("and-more", {"count": left})] if left > 0 else messages


def _problem(result: Mapping[str, Any]) -> str:
    """Return the code of a refused renewal; "" if it was not refused."""
    return str((result.get("problem") or {}).get("code", ""))


def _ways_out(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the ways out of a refused renewal."""
    return (result.get("problem") or {}).get("ways_out") or []


def _of_renewal(result: Mapping[str, Any], title: str, *, same: bool) -> FlashMessage:
    """Return the message for a loan; `same` if it was refused like the one before it."""
    if same:
        return FlashMessage("not-renewed-either", {"title": title}, went_well=False)
    if not result["ok"]:
        facts = {"title": title, "problem": _problem(result), "ways_out": _ways_out(result)}
        return FlashMessage("not-renewed", facts, went_well=False)
    facts = {"title": title, "due_on": result["loan"]["due_on"], "reference": result["reference"]}
    if not result["charge"]:
        return FlashMessage("renewed", facts)
    return FlashMessage(
        "renewed-charged", {**facts, "fine_cents": result["charge"]["amount_cents"]}
    )


@router.get("/loans/{loan_id}")
async def get_loan(request: PatronRequest, loan_id: str) -> Response:
    """Show a loan with the moves of its due date, the days of its fine, and forms to report it."""
    path = f"/v1/loans/{segment(loan_id)}"
    loan, fine, names = await asyncio.gather(
        request.api.get(path), request.api.get(f"{path}/fine-statement"), branch_names(request.api)
    )
    return request.page("loans/loan.html", loan=loan.json(), fine=fine.json(), branches=names)


@router.post("/loans/{loan_id}/claim")
async def post_claim(request: PatronRequest, loan_id: str) -> Response:
    """Report an item as returned."""
    return await _about_loan(request, loan_id, "claim", "claimed")


@router.post("/loans/{loan_id}/loss")
async def post_loss(request: PatronRequest, loan_id: str) -> Response:
    """Report an item as lost."""
    return await _about_loan(request, loan_id, "loss", "declared-lost")


async def _about_loan(request: PageRequest, loan_id: str, what: str, message: str) -> Response:
    path = f"/v1/loans/{segment(loan_id)}/{what}"
    reply = await request.send("POST", path)
    if not reply.done:
        return request.refused(f"/loans/{segment(loan_id)}", reply)
    return request.go("/", message)
