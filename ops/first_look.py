"""`carrel up --demonstration`: people and books to look at the pages with, in an empty system."""

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp

from ops.flow import Flow
from ops.processes import System
from ops.staff import add_account
from services.accounts.domain.refusals import CardTaken
from services.accounts.settings import Settings
from shared.clock import wall_clock

LIBRARIAN, PATRON, PIN = "S0000001", "P0000001", "246810"
"""Known to everybody who reads this: for a system that nobody else reaches."""

_WEEK = [{"weekday": day, "opens": "09:00", "closes": "20:00"} for day in range(7)]
_BRANCHES = {
    "HKCL": ("Hong Kong Central Library", "central"),
    "STPL": ("Sha Tin Public Library", "major"),
    "NLCPL": ("North Lamma Public Library", "small"),
}
_TITLES = {
    "D000001": ("The Factory and the Flat", "Ho Wing-sze"),
    "D000002": ("紅樓夢", "曹雪芹"),
    "D000003": ("A Field Guide to the Birds of Mai Po", "Leung Chi-ming"),
    "D000004": ("Harbour Lights", "Wong Ka-yan"),
}
_LATE, _NEW = timedelta(days=20), timedelta(days=2)
_ACTIVITY = {
    "title": "Reading the Harbour: a Walk in Old Maps",
    "type": "talk",
    "venue": "Lecture Theatre",
    "branch": "HKCL",
    "organiser": "The library",
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
            await _stock(session)
            await flow.settle()
            await _lend(session)
            await flow.settle()


async def _stock(session: aiohttp.ClientSession) -> None:
    for code, (name, kind) in _BRANCHES.items():
        branch = {"code": code, "name": name, "kind": kind, "hours": _WEEK}
        await _post(session, "/v1/branches", branch)
    for barcode, (title, author) in _TITLES.items():
        copy = {"barcode": barcode, "category": "adult", "branch": "HKCL", "price_cents": 12800}
        body = {"title": title, "authors": [author], "kind": "book", "copies": [copy]}
        await _post(session, "/v1/titles", body)
    patron = {
        "card_number": PATRON,
        "pin": PIN,
        "name": "Chan Mei-ling",
        "category": "adult",
        "home_branch": "HKCL",
        "language": "en",
    }
    await _post(session, "/v1/patrons", patron)
    starts = (wall_clock() + timedelta(days=10)).isoformat()
    await _post(session, "/v1/activities", {**_ACTIVITY, "starts_at": starts})
    notice = {"title": "Welcome", "content": "This library is for looking around.", "branches": []}
    await _post(session, "/v1/notices", notice)


async def _lend(session: aiohttp.ClientSession) -> None:
    """One loan is overdue, one is not."""
    now = wall_clock()
    for barcode, ago in (("D000001", _LATE), ("D000002", _NEW)):
        body = {"card_number": PATRON, "barcodes": [barcode], "branch": "HKCL"}
        await _post(session, "/v1/checkouts", {**body, "at": (now - ago).isoformat()})


async def _post(session: aiohttp.ClientSession, path: str, body: Any) -> Any:
    async with session.post(path, json=body) as response:
        response.raise_for_status()
        return await response.json()
