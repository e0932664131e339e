"""Desk pages of the till: open it, count it at closing, and report its cash."""

import asyncio
from decimal import Decimal
from typing import Any

from fastapi import Response

from services.gateway.web import forms, session
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.csv_files import csv_file
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/till", marked("Till"))]},
    messages={
        "till-opened": marked("The till is open with %(float_cents)s."),
        "till-is-closed": marked("The till is closed. %(counted_cents)s were counted."),
    },
    problems={
        "till-open": marked("This till is open already. Close it first."),
        "till-closed-already": marked("This till was closed already."),
        "difference-unexplained": marked(
            "The count differs from what is expected. Count again, or enter the reason."
        ),
        "cash-has-moved": marked(
            "Cash was taken or given meanwhile. What is expected is shown anew: compare the count."
        ),
        "bad-float": marked("Enter an amount in dollars, such as 500.00."),
        "bad-count": marked("Enter an amount in dollars, such as 500.00."),
    },
    at_fault={
        "difference-unexplained": "reason",
        "cash-has-moved": "counted",
        "bad-float": "float",
        "bad-count": "counted",
    },
    fields={
        "float": marked("Cash in the till in dollars"),
        "counted": marked("Cash counted in dollars"),
    },
)

LINES = {
    "payment": marked("Taken"),
    "refund": marked("Given back"),
    "cancelled": marked("Cancelled"),
}
"""Names of the lines of a till."""


@router.get("/desk/till")
async def get_till(request: DeskRequest, use: str | None = None) -> Response:
    """Show the till of this desk and the last ones of its library; `use` names that of the desk."""
    if use is None:
        return await _page(request)
    response = request.go("/desk/till")
    session.keep(request.http, response, session.TILL, use[:30])
    return response


@router.post("/desk/till/opening")
async def post_opening(request: DeskRequest) -> Response:
    """Open the till of this desk with the cash that is in it."""
    cents = forms.cents(request, "float")
    if cents is None:
        return await _page(request, Failure(422, "bad-float"))
    place = session.cookie(request.http, session.PLACE)
    body = {"branch": place, "name": request.text("name"), "float_cents": cents}
    reply = await request.send("POST", "/v1/tills", body)
    if not reply.done:
        return await _page(request, forms.refusal(reply))
    response = request.go("/desk/till", FlashMessage("till-opened", {"float_cents": cents}))
    session.keep(request.http, response, session.TILL, request.text("name"))
    return response


@router.post("/desk/till/closing")
async def post_closing(request: DeskRequest) -> Response:
    """Close a till with the cash that was counted, and show its report."""
    counted, shown = forms.cents(request, "counted"), request.text("shown")
    if counted is None:
        return await _page(request, Failure(422, "bad-count"))
    till = segment(request.text("till") or "-")
    body = {
        "counted_cents": counted,
        "shown_cents": int(shown) if shown.lstrip("-").isdecimal() else 0,
        "reason": request.text("reason"),
    }
    reply = await request.send("POST", f"/v1/tills/{till}/closing", body)
    if not reply.done:
        refused = forms.reworded(forms.refusal(reply), {"amount-changed": "cash-has-moved"})
        return await _page(request, refused)
    message = FlashMessage("till-is-closed", {"counted_cents": counted})
    return request.go(f"/desk/tills/{till}", message)


@router.get("/desk/tills/{till_id}")
async def get_report(request: DeskRequest, till_id: str) -> Response:
    """Show the report of a till by kind of charge, with its lines, to be printed."""
    found, names = await asyncio.gather(_till(request, till_id), branch_names(request.api))
    return request.page(
        "charges/desk-till-report.html", till=found.json(), branches=names, lines=LINES
    )


@router.get("/desk/tills/{till_id}/lines.csv")
async def get_lines(request: DeskRequest, till_id: str) -> Response:
    """Return the lines of a till as a file, with amounts in dollars."""
    till = (await _till(request, till_id)).json()
    rows = (
        (
            line["at"],
            line["of"],
            line["kind"],
            Decimal(line["amount_cents"]).scaleb(-2),
            till["currency"],
            line["id"],
            line["reason"],
        )
        for line in till["lines"]
    )
    heads = ("time", "line", "kind", "amount", "currency", "id", "reason")
    return csv_file(f"till-{till['branch']}-{till['opened_on']}.csv", heads, rows)


async def _till(request: PageRequest, till_id: str) -> Reply:
    return await request.api.get(f"/v1/tills/{segment(till_id)}")


async def _page(request: PageRequest, refused: Failure | None = None) -> Response:
    names = await branch_names(request.api)
    place, name = forms.desk_branch(request, names), session.cookie(request.http, session.TILL)
    if not place:
        return forms.ask_for_place(request, names, "/desk/till")
    listed = (await request.api.get("/v1/tills", branch=place)).json()["items"]
    opened = [one for one in listed if one["state"] == "open"]
    only = opened[0] if len(opened) == 1 else None
    mine = next((one for one in opened if one["name"] == name), only)
    lines: list[dict[str, Any]] = []
    if mine:
        mine = (await _till(request, mine["id"])).json()
        lines = mine["lines"][::-1]
    return request.page(
        "charges/desk-till.html",
        till=mine,
        lines=lines[:_LINES],
        listed=listed,
        name=name,
        library=names.get(place, place),
        line_names=LINES,
        **forms.outcome_of(request, refused),
    )


_LINES = 20
"""Lines of the open till that the page shows; its report has all."""
