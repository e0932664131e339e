"""Desk pages for the time without a network, and the settlement of what was scanned then."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from fastapi import Response
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from services.gateway.web import forms
from services.gateway.web.api import Api, Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.offline.patron import manifest
from services.gateway.web.offline.sealed import Entry, opened, public_key
from services.gateway.web.page_request import HEADERS, Anyone, DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.http.dependencies import BusinessTime
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/offline", marked("Without a network"))]},
    messages={
        "scans-kept": marked(
            "Scans that wait in this browser, encrypted: %(count)s. They are sent after the next "
            "log-in at this desk."
        ),
    },
    problems={
        "unreadable-scan": marked(
            "No key of the library opens this scan. It stays in this browser: ask who runs the "
            "system for the former key (CARREL_OFFLINE_KEYS), then send it again."
        ),
        "too-long-ago": marked("This was lent too long ago to be recorded. Lend it again."),
        "lent-that-day": marked(
            "This item was lent after this scan, on the same day. If it is here, return it now."
        ),
    },
)

MOST_AT_ONCE = 10
"""Entries that are settled in one request, which has little more than a second for all of them."""
_HARMLESS = "not-on-loan"
"""Refusal of a return after which nothing is left to be recorded."""


@checked(frozen=True)
class Sealed:
    """An entry as the browser sends it."""

    id: str = Field(pattern=r"^[0-9a-f-]{36}$")
    sealed: str = Field(max_length=2000)


@dataclass(frozen=True)
class Outcome:
    """The outcome of an entry, for the librarian and for the browser that keeps it."""

    entry: Entry
    state: Literal["done", "conflict", "refused", "later"]
    """`refused` and `later` stay in the browser; the first until a librarian removes it."""
    problem: dict[str, Any] | None = None
    result: dict[str, Any] = field(default_factory=dict)
    """The API's result for the item; empty if there is none."""


_ENTRIES = TypeAdapter(list[Sealed])


@router.get("/desk/offline")
async def get_offline(request: DeskRequest) -> Response:
    """Show what this browser keeps, with the button to send it."""
    return request.page("offline/desk-offline.html")


@router.get("/desk/offline/page")
async def get_page(request: Anyone) -> Response:
    """Return the page that a browser keeps for the time without a network. It names nobody."""
    return request.page("offline/desk-page.html")


@router.get("/desk/offline/manifest")
async def get_manifest(request: Anyone) -> Response:
    """Describe the desk as an application that can be installed, in the language of the page."""
    return manifest(request, "/desk", marked("Library desk"))


@router.get("/desk/offline/list")
async def get_list(request: DeskRequest, now: BusinessTime) -> Response:
    """Return what a desk needs without a network: times, limits, barcodes, and the public key.

    Nothing of it is about a person. Without a library of the desk, or without a key, it is empty.
    """
    names = await branch_names(request.api)
    branch, key = forms.desk_branch(request, names), public_key(_keys(request))
    if not branch or not key:
        return _json({})
    awaited, policies = await asyncio.gather(
        request.api.get(f"/v1/holds/awaited/{segment(branch)}"), request.api.get("/v1/policies")
    )
    return _json(
        {
            **awaited.json(),
            "branch": branch,
            "name": names.get(branch, branch),
            "now": now.isoformat(),
            "limit": max(row["max_loans"] for row in policies.json()["items"]),
            "key": key,
        }
    )


@router.post("/desk/offline/settlement")
async def post_settlement(request: DeskRequest) -> Response:
    """Send entries of a browser's queue, in their order, and show what became of each."""
    try:
        sent = _ENTRIES.validate_json(request.text("entries"))[:MOST_AT_ONCE]
    except ValidationError:
        raise Failure(422, "malformed") from None
    entries = [opened(_keys(request), one.id, one.sealed) for one in sent]
    # Scans of one item keep their order; those of others need not wait for them.
    of_items: dict[str, list[Entry]] = {}
    for entry in entries:
        of_items.setdefault(entry.scan.barcode if entry.scan else "", []).append(entry)
    settled = await asyncio.gather(*(_settled(request.api, each) for each in of_items.values()))
    by_id = {outcome.entry.id: outcome for each in settled for outcome in each}
    return request.page(
        "offline/desk-settled.html",
        outcomes=[by_id[entry.id] for entry in entries],
        branches=await branch_names(request.api),
    )


async def _settled(api: Api, entries: Sequence[Entry]) -> list[Outcome]:
    """Send the scans of one item, up to the first that has to be sent again."""
    outcomes: list[Outcome] = []
    for entry in entries:
        waits = bool(outcomes) and outcomes[-1].state == "later"
        outcomes.append(Outcome(entry, "later") if waits else await _sent(api, entry))
    return outcomes


async def _sent(api: Api, entry: Entry) -> Outcome:
    scan = entry.scan
    if scan is None:
        return Outcome(entry, "refused", {"code": "unreadable-scan"})
    body = {
        "barcodes": [scan.barcode],
        "branch": scan.branch,
        "at": scan.at.isoformat(),
        "offline": True,
        **({"card_number": scan.card} if scan.act == "lend" else {"channel": "desk"}),
    }
    path = "/v1/checkouts" if scan.act == "lend" else "/v1/returns"
    reply = await api.send("POST", path, body, key=entry.id)
    if not reply.done:
        failure = reply.failure()
        if failure.status == 401:
            raise failure
        problem = {"code": failure.code, "detail": failure.detail}
        is_final = failure.status in (403, 404, 409, 422)
        return Outcome(entry, "refused" if is_final else "later", problem)
    [result] = reply.json()["results"]
    problem = result["problem"]
    if problem is None or (scan.act == "return" and problem["code"] == _HARMLESS):
        return Outcome(entry, "done", problem, result)
    return Outcome(entry, "conflict" if scan.act == "lend" else "refused", problem, result)


def _keys(request: PageRequest) -> str:
    return str(request.http.app.state.settings.offline_keys)


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), headers=HEADERS, media_type="application/json")
