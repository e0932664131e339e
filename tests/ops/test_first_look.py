"""People and books to look around with."""

import asyncio

from ops.first_look import LIBRARIAN, PATRON, PIN, prepare
from ops.processes import System
from tests.gateway.web.browser import Browser, Page


def test_who_looks_for_the_first_time_finds_an_account_and_a_desk(running: System) -> None:
    prepare(running)
    prepare(running)  # a second start changes nothing
    account, info, desk = asyncio.run(_looked_at(running.gateway_url))
    assert account.text.count("The Factory and the Flat") == 1
    for told in ("Overdue 1", "Next in the queue", "To pay $6.00"):
        assert told in account.text
    assert "Paper and Ink" in info.text
    assert (desk.status, desk.path) == (200, "/desk")


async def _looked_at(site: str) -> list[Page]:
    async with Browser(site) as patron, Browser(site) as librarian:
        account = await _log_in(patron, PATRON)
        return [account, await patron.get("/info"), await _log_in(librarian, LIBRARIAN)]


async def _log_in(browser: Browser, card: str) -> Page:
    page = await browser.get("/log-in")
    return await browser.submit(page, "/log-in", card_number=card, pin=PIN)
