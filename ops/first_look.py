"""`carrel up --demonstration`: people and books to look at the pages with, in an empty system."""

import asyncio
from datetime import date, datetime, time, timedelta
from typing import Any

import aiohttp

from ops.flow import Flow
from ops.processes import System
from ops.staff import add_account
from services.accounts.domain.refusals import CardTaken
from services.accounts.settings import Settings
from shared.clock import library_day, wall_clock

LIBRARIAN, PATRON, PIN = "S0000001", "P0000001", "246810"
"""Known to everybody who reads this: for a system that nobody else reaches."""
_OTHER = "P0000002"

_WEEK = [{"weekday": day, "opens": "09:00", "closes": "20:00"} for day in range(7)]
_BRANCHES = {
    "HKCL": ("Hong Kong Central Library", "central"),
    "STPL": ("Sha Tin Public Library", "major"),
    "NLCPL": ("North Lamma Public Library", "small"),
}
_LATE, _FINED, _NEW, _WANTED, _CLOSED = (f"D00000{number}" for number in range(1, 6))
_TITLES = {
    _LATE: ("The Factory and the Flat", "Ho Wing-sze", "HKCL"),
    _FINED: ("Harbour Lights", "Wong Ka-yan", "HKCL"),
    _NEW: ("紅樓夢", "曹雪芹", "HKCL"),
    _WANTED: ("A Field Guide to the Birds of Mai Po", "Leung Chi-ming", "HKCL"),
    _CLOSED: ("Tides of the Shing Mun River", "Tse Pak-hei", "STPL"),
}
_PATRONS = {PATRON: "Chan Mei-ling", _OTHER: "Chan Tai-man"}
_PREFERENCES = {"followed_branches": ["HKCL", "STPL"], "activity_types": ["talk", "exhibition"]}
_WALK: dict[str, Any] = {
    "title": "Reading the Harbour: a Walk in Old Maps",
    "type": "talk",
    "venue": "Lecture Theatre",
    "branch": "HKCL",
    "organiser": "The library",
    "places": 20,
}
_EXHIBITION = {
    **_WALK,
    "title": "Paper and Ink",
    "type": "exhibition",
    "venue": "Exhibition Gallery",
    "places": None,
}


def prepare(system: System) -> None:
    """Put a librarian, a patron, libraries and books into a system that has no such librarian."""
    asyncio.run(_prepare(system))


async def _prepare(system: System) -> None:
    try:
        settings = system.settings(Settings)
        await add_account(settings, LIBRARIAN, PIN, "Lam Siu-fong", "staff")
    except CardTaken:
        return
    async with aiohttp.ClientSession(system.gateway_url) as session:
        answer = await _post(session, "/v1/sessions", {"card_number": LIBRARIAN, "pin": PIN})
        session.headers["Authorization"] = f"Bearer {answer['access_token']}"
        async with Flow(system, session) as flow:
            today = library_day(wall_clock(), settings.zone)
            midnight = datetime.combine(today, time(), settings.zone)
            titles = await _stock(session, midnight)
            await flow.settle()
            await _lend(session)
            await flow.settle()
            await _choose(session, titles[_WANTED])
            await _close(session, today)
            await _take_back(session)
            await flow.settle()


async def _stock(session: aiohttp.ClientSession, midnight: datetime) -> dict[str, str]:
    """What the library has; the ids of the titles, by barcode."""
    for code, (name, kind) in _BRANCHES.items():
        library = {"code": code, "name": name, "kind": kind, "hours": _WEEK}
        await _post(session, "/v1/branches", library)
    titles = {}
    for barcode, (title, author, branch) in _TITLES.items():
        copy = {"barcode": barcode, "category": "adult", "branch": branch, "price_cents": 12800}
        body = {"title": title, "authors": [author], "kind": "book", "copies": [copy]}
        titles[barcode] = (await _post(session, "/v1/titles", body))["id"]
    for card, name in _PATRONS.items():
        patron = {
            "card_number": card,
            "pin": PIN,
            "name": name,
            "category": "adult",
            "home_branch": "HKCL",
            "language": "en",
        }
        await _post(session, "/v1/patrons", patron)
    for activity, begins, ends in (
        (_WALK, timedelta(days=10, hours=19), None),
        (_EXHIBITION, timedelta(days=-5, hours=9), timedelta(days=20, hours=20)),
    ):
        times = {"starts_at": midnight + begins, "ends_at": midnight + ends if ends else None}
        told = {name: at.isoformat() for name, at in times.items() if at}
        await _post(session, "/v1/activities", activity | told)
    return titles


async def _lend(session: aiohttp.ClientSession) -> None:
    """Two loans are overdue, of which one comes back; the others are not, or not hers."""
    for card, barcode, days in (
        (PATRON, _LATE, -20),
        (PATRON, _FINED, -20),
        (PATRON, _CLOSED, -13),
        (PATRON, _NEW, -2),
        (_OTHER, _WANTED, -3),
    ):
        body = {"card_number": card, "barcodes": [barcode], "branch": _TITLES[barcode][2]}
        await _post(session, "/v1/checkouts", {**body, "at": _in(days=days)})


async def _close(session: aiohttp.ClientSession, today: date) -> None:
    """A library is closed for some days; what falls due there meanwhile is due when it opens."""
    closure = {
        "branches": ["STPL"],
        "from": str(today - timedelta(days=1)),
        "reopened_on": str(today + timedelta(days=4)),
        "reason": "The roof is being mended",
    }
    await _post(session, "/v1/closures", closure)
    notice = {
        "title": "Sha Tin Public Library is closed",
        "content": "The roof is being mended. What falls due meanwhile is due when we open again.",
        "branches": ["STPL"],
    }
    await _post(session, "/v1/notices", notice)


async def _take_back(session: aiohttp.ClientSession) -> None:
    """A loan comes back late. After the hold: who owes anything may place none."""
    back = {"barcodes": [_FINED], "branch": "HKCL", "channel": "desk", "at": _in(days=-2)}
    await _post(session, "/v1/returns", back)


async def _choose(session: aiohttp.ClientSession, wanted: str) -> None:
    """What the patron herself has chosen."""
    answer = await _post(session, "/v1/sessions", {"card_number": PATRON, "pin": PIN})
    hers = {"Authorization": f"Bearer {answer['access_token']}"}
    await _post(session, "/v1/holds", {"title_id": wanted, "pickup_branch": "HKCL"}, hers)
    async with session.patch("/v1/me/preferences", json=_PREFERENCES, headers=hers) as response:
        response.raise_for_status()


def _in(*, days: int) -> str:
    return (wall_clock() + timedelta(days=days)).isoformat()


async def _post(
    session: aiohttp.ClientSession, path: str, body: Any, headers: dict[str, str] | None = None
) -> Any:
    async with session.post(path, json=body, headers=headers) as response:
        response.raise_for_status()
        return await response.json()
