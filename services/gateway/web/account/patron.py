"""The page of My Account: loans, reservations and charges, as they change."""

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from fastapi import Response
from starlette.types import Receive, Scope, Send

from services.gateway.views.stream import event_id
from services.gateway.web.api import segment
from services.gateway.web.branches import branches_by_code
from services.gateway.web.family.patron import member_names
from services.gateway.web.languages import worded
from services.gateway.web.page_request import Anyone, LoggedIn, PageRequest, PatronRequest, Today
from services.gateway.web.pages import Pages
from services.gateway.web.self_checkout.patron import lending_branches
from shared.translations import marked

router = Pages(
    menus={"patron": [("/", marked("My Account"))]},
)


ORDERS = {"due": marked("Due date"), "title": marked("Title"), "library": marked("Library")}
"""Names of the orders in which loans can be listed."""
SOON = timedelta(days=30)
"""Time before the expiry of a card from which My Account points to its renewal."""
_OWN_PAGES = {
    "staff": "/desk",
    "tracer": "/tracing",
    "admin": "/desk/staff",
    "ops": "/ops",
}
"""The first page of each role that is no patron's."""


@router.get("/")
async def get_account(
    request: Anyone, caller: LoggedIn, today: Today, sort: str = "due", q: str = ""
) -> Response:
    """Show My Account; send other callers to their own pages."""
    for role, path in _OWN_PAGES.items():
        if role in caller.roles:
            return request.go(path)
    if "own-account" not in caller.rights:  # a self-service station
        return request.page("account/no-pages.html")
    return await _account(request, today.isoformat(), sort if sort in ORDERS else "due", q.strip())


def _cause_of_block(account: Mapping[str, Any]) -> str:
    """Return what blocks the patron: "staff" or "money"; "" if nothing does."""
    patron, owes = account["patron"], account["totals"]["outstanding_cents"] > 0
    if patron["status"] != "blocked":
        return ""
    if patron["blocked_by"] is None:  # in data of earlier releases
        return "money" if owes else "staff"
    if patron["blocked_by"] != ["money"]:
        return "staff"
    return "money" if owes else ""  # views may lack the standing, and accounts follows later


def _ends_soon(card_expires_on: str | None, today: str) -> bool:
    """Return whether the card expires on one of the next days, or has expired."""
    soon = date.fromisoformat(today) + SOON
    return card_expires_on is not None and card_expires_on <= soon.isoformat()


def _due(loan: Mapping[str, Any]) -> tuple[bool, str, str, str]:
    """Return the key by which the loan to act on next comes first."""
    return loan["claimed_returned_on"] is not None, loan["due_on"], loan["due_at"] or "", loan["id"]


async def _likely(request: PageRequest, account: Mapping[str, Any]) -> dict[str, str]:
    """Return the days by which reservations are likely ready, by id; of others too little is known.

    circulation is asked only if one of them waits.
    """
    if not any(hold["position"] for hold in account["holds"]):
        return {}
    reply = await request.api.get("/v1/me/holds")
    holds = reply.json()["items"] if reply.done else []
    return {one["id"]: one["likely_ready_by"]["day"] for one in holds if one["likely_ready_by"]}


async def _members(request: PageRequest, account: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return id, name and loans of each linked card; there are at most ten."""
    ids = [one["patron_id"] for one in account["family"]]
    if not ids:
        return []
    paths = [f"/v1/me/family/{segment(one)}/account" for one in ids]
    names, replies = await asyncio.gather(
        member_names(request.api), asyncio.gather(*map(request.api.get, paths))
    )
    return [
        {"id": one, "name": names.get(one, ""), "loans": sorted(reply.json()["loans"], key=_due)}
        for one, reply in zip(ids, replies, strict=True)
        if reply.done
    ]


async def _account(request: PageRequest, today: str, order: str, text: str) -> Response:
    reply, branches, _ = await asyncio.gather(
        request.api.get("/v1/me"), branches_by_code(request.api), lending_branches(request)
    )
    account = reply.json()
    has = event_id(account)
    account["activities"] = [worded(one, request.language.code) for one in account["activities"]]
    names = {code: branch["name"] for code, branch in branches.items()}
    likely, members = await asyncio.gather(_likely(request, account), _members(request, account))
    loans = sorted(account["loans"], key=_due)
    wanted = text.casefold()
    shown = [one for one in loans if wanted in f"{one['title']} {one['barcode']}".casefold()]
    keys = {
        "title": lambda loan: (loan["title"] or loan["barcode"]).casefold(),
        "library": lambda loan: names.get(loan["branch"], loan["branch"]),
    }
    return request.page(
        "account/account.html",
        account=account,
        loans=sorted(shown, key=keys[order]) if order in keys else shown,
        text=text,
        likely=likely,
        members=members,
        next_due=next((loan for loan in loans if not loan["claimed_returned_on"]), None),
        days_until=lambda day: (date.fromisoformat(day) - date.fromisoformat(today)).days,
        order=order,
        orders=ORDERS,
        unread=account["inbox"]["unread"],
        blocked_by=_cause_of_block(account),
        accruing={item["loan_id"]: item for item in account["accruing"]},
        branches=names,
        opens_on={code: branch["opens_on"] for code, branch in branches.items()},
        today=today,
        card_ends_soon=_ends_soon(account["patron"]["card_expires_on"], today),
        has=has,
    )


@router.get("/me/stream")
async def get_stream(request: PatronRequest, has: str = "") -> Response:
    """Pass on `GET /v1/me/stream` for this visitor; `has` is the event id of the page's account."""
    return _HandedOn(request, has)


class _HandedOn(Response):
    """The answer of the API's own route, message by message, on the same connection."""

    def __init__(self, request: PageRequest, has: str) -> None:
        super().__init__()
        self._request = request
        self._has = has

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        last = self._request.http.headers.get("last-event-id", self._has)
        known = {"last-event-id": last} if last.isascii() else {}  # no id of ours is otherwise
        asked = self._request.api.scope("GET", "/v1/me/stream", more=known)
        await self._request.http.app(asked, receive, send)
