"""`carrel up --demonstration`: fill an empty system with the reopening's libraries and people.

The data are from reopening-2021.yaml, as in `carrel demo`. One patron's loans, holds
and charges are dated from today, so that every page has something to show.
"""

import asyncio
import secrets
import time as clock
from collections.abc import Awaitable, Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

import aiohttp

from ops.direct import add_account
from ops.infrastructure.processes import System
from ops.scenario.api import Flow
from ops.scenario.definition import opening_hours, read_scenario
from services.accounts.refusals import CardTaken
from services.accounts.settings import Settings
from shared.clock import library_day, wall_clock

LIBRARIAN, PATRON = "S9000001", "C1000002"
"""Cards of the scenario. Everybody who reads it knows their PINs, so use it only on a system that
nobody else can reach.
"""
_OTHER, _THIRD = "C1000005", "C1000007"
_PATIENCE = 60
"""Seconds for which a call is repeated while a service is away."""

_LATE, _FINED, _NEW, _CLOSED = "B0000001", "B0000005", "B0000152", "B0000008"
_WANTED, _WANTED_TOO = "B0000036", "B0000037"
"""The two copies of one title."""
_LENT_AT = {_CLOSED: "STPL", _WANTED_TOO: "LCK"}
"""Library of a copy, by barcode; all other copies belong to the Central Library."""
_PREFERENCES = {"followed_branches": ["HKCL", "STPL"], "activity_types": ["talk", "exhibition"]}
_WALK: dict[str, Any] = {
    "title": "Reading the Harbour: a Walk in Old Maps",
    "type": "talk",
    "venue": "Lecture Theatre",
    "branch": "HKCL",
    "organiser": "The library",
    "places": 20,
}
_TALK = {
    **_WALK,
    "abstract": "Three maps of the harbour, of 1845, 1901 and 1964, side by side.\n\nThe walk "
    "follows the old shoreline from the hall to the map room.",
    "remarks": "Please wear comfortable shoes.",
    "languages": ["yue", "en"],
    "audience": "adults",
    "minimum_age": 12,
    "wordings": {
        "zh-Hant": {"title": "讀海港：古地圖漫步", "venue": "演講室"},
        "zh-Hans": {"title": "读海港：古地图漫步", "venue": "演讲室"},
    },
}
_EXHIBITION = {
    **_WALK,
    "title": "Paper and Ink",
    "type": "exhibition",
    "venue": "Exhibition Gallery",
    "places": None,
}


def pins() -> dict[str, str]:
    """Return the PINs of the scenario's staff and patrons, by card."""
    scenario = read_scenario()
    return {who["card_number"]: who["pin"] for who in [*scenario["callers"], *scenario["patrons"]]}


def people() -> list[str]:
    """Return a sentence for each person to log in as, with card and PIN."""
    known = pins()
    return [
        f"Log in as a librarian: card {LIBRARIAN}, PIN {known[LIBRARIAN]}",
        f"Log in as a patron with a fine: card {PATRON}, PIN {known[PATRON]} (blocked on purpose)",
        f"Log in as a patron who may borrow: card {_OTHER}, PIN {known[_OTHER]}",
    ]


def prepare(system: System) -> None:
    """Fill the system from the scenario, unless the scenario's librarian exists already."""
    asyncio.run(_prepare(system))


async def _prepare(system: System) -> None:
    scenario = read_scenario()
    settings = system.settings(Settings)
    try:
        for who in scenario["callers"]:
            await add_account(settings, who["card_number"], who["pin"], who["name"], who["role"])
    except CardTaken:
        return
    # Checking a PIN takes a core a tenth of a second.
    connector = aiohttp.TCPConnector(limit=4, ssl=system.tls)
    async with aiohttp.ClientSession(system.gateway_url, connector=connector) as session:
        session.headers["Authorization"] = await _log_in(session, LIBRARIAN)
        async with Flow(system, session) as flow:
            today = library_day(wall_clock(), settings.zone)
            midnight = datetime.combine(today, time(), settings.zone)
            titles = await _stock(session, scenario, midnight)
            await flow.settle(_PATIENCE)
            await _lend(session)
            await flow.settle(_PATIENCE)
            await _place_hold_and_choose(session, titles[_WANTED])
            await _close(session, today)
            await _return_late_loan(session)
            await flow.settle(_PATIENCE)


async def _stock(
    session: aiohttp.ClientSession, scenario: dict[str, Any], midnight: datetime
) -> dict[str, str]:
    """Register the library's data; return the ids of the titles, by barcode."""
    hours = opening_hours(scenario)
    await _all(
        _post(session, "/v1/branches", {**branch, "hours": hours[branch["kind"]]})
        for branch in scenario["branches"]
    )
    titles = await _all(_post(session, "/v1/titles", title) for title in scenario["titles"])
    await _all(
        _post(session, "/v1/patrons", {k: v for k, v in patron.items() if k != "story"})
        for patron in scenario["patrons"]
    )
    for activity, begins, ends in (
        (_TALK, timedelta(days=10, hours=19), None),
        (_EXHIBITION, timedelta(days=-5, hours=9), timedelta(days=20, hours=20)),
    ):
        times = {"starts_at": midnight + begins, "ends_at": midnight + ends if ends else None}
        dates = {name: at.isoformat() for name, at in times.items() if at}
        await _post(session, "/v1/activities", activity | dates)
    return {
        copy["barcode"]: made["id"]
        for title, made in zip(scenario["titles"], titles, strict=True)
        for copy in title["copies"]
    }


async def _lend(session: aiohttp.ClientSession) -> None:
    """Lend to the patron and to others. Two loans are overdue; one of them is returned later."""
    for card, barcode, days in (
        (PATRON, _LATE, -20),
        (PATRON, _FINED, -20),
        (PATRON, _CLOSED, -13),
        (PATRON, _NEW, -2),
        (_OTHER, _WANTED, -3),
        (_THIRD, _WANTED_TOO, -3),
    ):
        branch = _LENT_AT.get(barcode, "HKCL")
        body = {"card_number": card, "barcodes": [barcode], "branch": branch, "at": _in(days=days)}
        await _post(session, "/v1/checkouts", body)


async def _close(session: aiohttp.ClientSession, today: date) -> None:
    """Close a library for some days, and announce it in three languages.

    Loans due there meanwhile become due when it reopens.
    """
    closure = {
        "branches": ["STPL"],
        "from": str(today - timedelta(days=1)),
        "reopened_on": str(today + timedelta(days=4)),
        "reason": "The roof is being mended",
    }
    made = await _post(session, "/v1/closures", closure)
    draft = await _post(session, f"/v1/closures/{made['id']}/notice-draft", None)
    seen = {"seen": draft["version"]}
    await _post(session, f"/v1/notice-drafts/{draft['id']}/publication", seen)


async def _return_late_loan(session: aiohttp.ClientSession) -> None:
    """Return a late loan. Call it after the hold: a patron who owes money can't place one."""
    back = {"barcodes": [_FINED], "branch": "HKCL", "channel": "desk", "at": _in(days=-2)}
    await _post(session, "/v1/returns", back)


async def _place_hold_and_choose(session: aiohttp.ClientSession, wanted: str) -> None:
    """Place a hold and save preferences as the patron would."""
    theirs = {"Authorization": await _log_in(session, PATRON)}
    await _post(session, "/v1/holds", {"title_id": wanted, "pickup_branch": "HKCL"}, theirs)
    await _call(session, "PATCH", "/v1/me/preferences", _PREFERENCES, theirs)


def _in(*, days: int) -> str:
    return (wall_clock() + timedelta(days=days)).isoformat()


async def _all(calls: Iterable[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*calls)


async def _log_in(session: aiohttp.ClientSession, card: str) -> str:
    answer = await _post(session, "/v1/sessions", {"card_number": card, "pin": pins()[card]})
    return f"Bearer {answer['access_token']}"


async def _post(
    session: aiohttp.ClientSession, path: str, body: Any, headers: dict[str, str] | None = None
) -> Any:
    return await _call(session, "POST", path, body, headers or {})


async def _call(
    session: aiohttp.ClientSession, method: str, path: str, body: Any, headers: dict[str, str]
) -> Any:
    """Return the response; while a service is away, repeat the same request."""
    sent = {**headers, "Idempotency-Key": secrets.token_hex(8)}
    until = clock.monotonic() + _PATIENCE
    while True:
        async with session.request(method, path, json=body, headers=sent) as response:
            if response.status != 503 or clock.monotonic() > until:
                response.raise_for_status()
                return await response.json()
        await asyncio.sleep(0.2)  # a service does not report when it is back
