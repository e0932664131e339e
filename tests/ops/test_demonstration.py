"""`carrel up --demonstration` fills a system with the people and books of the reopening of 2021."""

import asyncio
from typing import Any

import aiohttp

from ops.infrastructure.processes import System
from ops.scenario.demonstration import LIBRARIAN, PATRON, people, pins, prepare
from tests.gateway.web.browser import Browser, Page


def test_the_prepared_library_has_an_account_and_a_desk_to_look_at(running: System) -> None:
    prepare(running)
    prepare(running)  # a second start changes nothing
    account, info, desk = asyncio.run(_looked_at(running.gateway_url))
    assert account.text.count("To Kill a Mockingbird") == 3  # overdue: it stands first, too
    for text in ("Overdue 1", "Next in the queue", "To pay $6.00"):
        assert text in account.text
    assert "Paper and Ink" in info.text
    assert (desk.status, desk.path) == (200, "/desk")
    libraries, titles = asyncio.run(_listed(running.gateway_url))
    assert (libraries, titles) == (46, 77)


def test_the_demonstration_prints_what_is_true_of_each_person(running: System) -> None:
    prepare(running)
    printed = people()
    assert len(printed) == 3
    for sentence in printed:
        card = next(card for card in pins() if card in sentence)
        assert f"PIN {pins()[card]}" in sentence
        shown = asyncio.run(_first_page(running.gateway_url, card))
        if card == LIBRARIAN:
            assert shown.path == "/desk"
        else:
            is_blocked = "You can't borrow, renew or reserve until you pay" in shown.text
            assert ("blocked on purpose" in sentence, "may borrow" in sentence) == (
                is_blocked,
                not is_blocked,
            )


async def _first_page(site: str, card: str) -> Page:
    async with Browser(site) as browser:
        return await _log_in(browser, card)


async def _looked_at(site: str) -> list[Page]:
    async with Browser(site) as patron, Browser(site) as librarian:
        account = await _log_in(patron, PATRON)
        return [account, await patron.get("/info"), await _log_in(librarian, LIBRARIAN)]


async def _log_in(browser: Browser, card: str) -> Page:
    page = await browser.get("/log-in")
    return await browser.submit(page, "/log-in", card_number=card, pin=pins()[card])


async def _listed(site: str) -> tuple[int, int]:
    """Return how many libraries and titles are public."""
    async with aiohttp.ClientSession(site) as session:
        return len(await _all(session, "/v1/branches")), len(await _all(session, "/v1/titles"))


async def _all(session: aiohttp.ClientSession, path: str) -> list[Any]:
    found: list[Any] = []
    params = {"limit": "50"}
    while True:
        async with session.get(path, params=params) as response:
            assert response.status == 200, await response.text()
            page = await response.json()
        found += page["items"]
        if not page["next"]:
            return found
        params["after"] = page["next"]
