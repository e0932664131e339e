"""Desk pages of self-checkout by phone: allow it at a library, and print the sign for its door."""

import asyncio
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, segment
from services.gateway.web.barcodes import qr
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.http.problems import NotFound
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/self-checkout", marked("Borrowing by phone"))]},
    messages={
        "self-checkout-allowed": marked("Readers can borrow with their phones here now."),
        "self-checkout-ended": marked("Readers can't borrow with their phones here any more."),
        "day-code-replaced": marked("There is a new code. Put it at the door: the old one ended."),
    },
)
SIGN = (
    marked("Borrow here with your phone"),
    marked("Scan this code, or choose Borrow here in My Account and type the digits."),
)
"""The texts of the sign at the door of a library."""


@router.get("/desk/self-checkout")
async def get_self_checkout(request: DeskRequest, branch: str = "") -> Response:
    """Show whether readers can borrow with their phones at a library, and its code of today."""
    return await _page(request, branch)


@router.get("/desk/self-checkout/sign")
async def get_sign(request: DeskRequest, branch: str) -> Response:
    """Show the sign with a library's code of today, to be printed, in all languages."""
    asked, found = await asyncio.gather(
        request.api.get(f"/v1/branches/{segment(branch)}"), request.api.get(_path(branch))
    )
    code, day = (found.json()[name] for name in ("day_code", "valid_on"))
    if code is None:
        raise NotFound("sign")
    link = f"{request.site}/borrow?{urlencode({'branch': branch, 'code': code})}"
    return request.page(
        "self_checkout/desk-sign.html",
        place=branch,
        library=asked.json()["name"],
        code=code,
        lines={
            name: [*map(language.say, SIGN), language.day(day, weekday=True)]
            for name, language in LANGUAGES.items()
        },
        picture=qr(link, scale=8),
    )


@router.post("/desk/self-checkout/choice")
async def post_choice(request: DeskRequest) -> Response:
    """Allow readers to borrow with their phones at a library, or end it."""
    branch, allowed = request.text("branch"), request.text("allowed") == "yes"
    reply = await request.send("PUT", _path(branch), {"allowed": allowed})
    if not reply.done:
        return await _page(request, branch, reply.refusal(404, 409, 422))
    request.http.app.state.phone_lending_at = -60.0  # the next page asks again
    return _done(request, branch, "self-checkout-allowed" if allowed else "self-checkout-ended")


@router.post("/desk/self-checkout/secret")
async def post_secret(request: DeskRequest) -> Response:
    """Replace the code of a library."""
    branch = request.text("branch")
    reply = await request.send("POST", f"{_path(branch)}/secret")
    if not reply.done:
        return await _page(request, branch, reply.refusal(404, 409))
    return _done(request, branch, "day-code-replaced")


def _path(branch: str) -> str:
    return f"/v1/self-checkouts/{segment(branch)}"


def _done(request: PageRequest, branch: str, message: str) -> Response:
    there = f"/desk/self-checkout?{urlencode({'branch': branch})}"
    return forms.remember_branch(request, request.go(there, message), branch)


async def _page(request: PageRequest, branch: str, refused: Failure | None = None) -> Response:
    names = await branch_names(request.api)
    place = branch or forms.desk_branch(request, names)
    found = (await request.api.get(_path(place))).json() if place in names else None
    return request.page(
        "self_checkout/desk-self-checkout.html",
        branches=names,
        place=place,
        found=found,
        **forms.outcome_of(request, refused),
    )
