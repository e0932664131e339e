"""Page on which patrons borrow with their own phones, where their library allows it."""

import asyncio
import time
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure
from services.gateway.web.branches import branch_names, home_branch
from services.gateway.web.page_context import PHONE_LENDING
from services.gateway.web.page_request import PageRequest, PatronRequest, Today
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    menus={"patron": [(PHONE_LENDING, marked("Borrow here"))]},
    messages={"borrowed": marked("Borrowed: %(title)s. Return it by %(due_on)s.")},
    problems={
        "self-checkout-off": marked(
            "You can't borrow with your phone at this library. Please borrow at the desk."
        ),
        "wrong-day-code": marked(
            "This isn't today's code of this library. It is on the sign at the door, and the staff "
            "know it."
        ),
        "too-many-day-codes": marked(
            "You've entered too many wrong codes today. Please borrow at the desk."
        ),
        "copy-elsewhere": marked(
            "By our records this item belongs somewhere else. Bring it to the desk."
        ),
        "own-loan-limit": marked("You've reached the limit of items on loan at one time."),
        "own-copy-on-loan": marked("You have this item on loan already."),
        "own-copy-not-ready": marked("This item can't be borrowed yet. Bring it to the desk."),
    },
    at_fault={"wrong-day-code": "day_code", "self-checkout-off": "branch"},
    fields={"day_code": marked("Code of the day")},
)
FRESH_SECONDS = 60.0
"""Seconds for which the list of the libraries that allow this is not asked for again."""
MOST_LOANS = "200"
_OWN_WORDS = {"loan-limit": "own-loan-limit", "copy-not-ready": "own-copy-not-ready"}


@router.get("/borrow")
async def get_borrow(
    request: PatronRequest, today: Today, branch: str = "", code: str = ""
) -> Response:
    """Show the form to borrow an item, and the items borrowed today; the sign fills in the code."""
    return await _page(request, today.isoformat(), branch, code)


@router.post("/borrow")
async def post_borrow(request: PatronRequest, today: Today) -> Response:
    """Borrow the item whose barcode was scanned or typed."""
    body = {name: request.text(name) for name in ("branch", "day_code", "barcode")}
    reply = await request.send("POST", "/v1/me/self-checkouts", body)
    refused = reply.refusal(404, 409, 422) if not reply.done else None
    if refused is None:
        result = reply.json()
        name = result["title"] or body["barcode"]
        if result["ok"]:
            there = urlencode({"branch": body["branch"], "code": body["day_code"]})
            facts = {"title": name, "due_on": result["loan"]["due_on"]}
            return request.go(f"/borrow?{there}", FlashMessage("borrowed", facts))
        problem = result["problem"]
        refused = Failure(409, problem["code"], problem["detail"], ways_out=problem["ways_out"])
        return await _page(request, today.isoformat(), body["branch"], refused=refused, item=name)
    return await _page(request, today.isoformat(), body["branch"], refused=refused)


async def _page(
    request: PageRequest,
    today: str,
    branch: str,
    code: str = "",
    *,
    refused: Failure | None = None,
    item: str = "",
) -> Response:
    names, lending, home, loans = await asyncio.gather(
        branch_names(request.api),
        lending_branches(request, fresh=True),
        home_branch(request),
        request.api.get("/v1/me/loans", limit=MOST_LOANS),
    )
    chosen = next((one for one in (branch, home) if one in lending), "")
    on_loan = loans.json()["items"]
    words = dict(_OWN_WORDS)
    if any(loan["barcode"] == request.text("barcode") for loan in on_loan):
        words["copy-on-loan"] = "own-copy-on-loan"
    refused = forms.reworded(refused, words)
    return request.page(
        "self_checkout/borrow.html",
        camera=True,
        branches={one: name for one, name in names.items() if one in lending},
        all_branches=names,
        chosen=chosen,
        code=code,
        item=item,
        borrowed=[
            one for one in on_loan[::-1] if one["borrowed_on"] == today and one["branch"] == chosen
        ],
        **forms.outcome_of(request, refused),
    )


async def lending_branches(request: PageRequest, *, fresh: bool = False) -> list[str]:
    """Return the codes of the libraries that lend to phones, and show their page in the menu.

    If not `fresh`, they are asked for once a minute; if they can't be, the last answer stays.
    """
    state = request.http.app.state
    if fresh or time.monotonic() - state.phone_lending_at > FRESH_SECONDS:
        reply = await request.api.get("/v1/self-checkouts")
        if reply.done:
            state.phone_lending = reply.json()["branches"]
            state.phone_lending_at = time.monotonic()
    found: list[str] = state.phone_lending
    return found
