"""People and books to look around with."""

import asyncio

from ops.first_look import LIBRARIAN, PATRON, PIN, prepare
from ops.processes import System
from tests.gateway.web.browser import Browser, Page


def test_who_looks_for_the_first_time_finds_an_account_and_a_desk(running: System) -> None:
    prepare(running)
    prepare(running)  # a second start changes nothing
    account, desk = asyncio.run(_looked_at(running.gateway_url))
    assert account.text.count("The Factory and the Flat") == 1
    assert "Overdue 1" in account.text
    assert (desk.status, desk.path) == (200, "/desk")


async def _looked_at(site: str) -> list[Page]:
    return [await _logged_in(site, card) for card in (PATRON, LIBRARIAN)]


async def _logged_in(site: str, card: str) -> Page:
    async with Browser(site) as browser:
        page = await browser.get("/log-in")
        return await browser.submit(page, "/log-in", card_number=card, pin=PIN)
