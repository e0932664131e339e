"""Renewing an overdue loan: the page names the charge and asks before anything is charged."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from services.gateway.settings import Settings
from services.gateway.views.store.schema import WHOLE
from tests.gateway.web.browser import Browser, Page
from tests.library import PIN, Library
from tests.support import patient_client

LENT = "2020-11-02T10:00:00+08:00"
LATE = "2020-11-20T10:00:00+08:00"
"""Four days after the due date: a fine of $6.00."""


@dataclass(frozen=True)
class Late:
    """A logged-in patron with an overdue loan, and the library."""

    library: Library
    browser: Browser
    card: str
    loan_id: str

    async def owes(self) -> int:
        seen = await self.library.get("/v1/me", by=self.card)
        return int(seen["totals"]["outstanding_cents"])


@pytest.fixture
async def late(library: Library) -> AsyncIterator[Late]:
    library.now = LENT
    branch = await library.branch("central")
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [loan] = await library.lend(card, [barcode], branch)
    library.now = LATE
    async with Browser(library.system.gateway_url, at=LATE) as browser:
        page = await browser.get("/log-in")
        await browser.submit(page, "/log-in", card_number=card, pin=PIN)
        yield Late(library, browser, card, loan["id"])


@asynccontextmanager
async def incomplete_views(library: Library) -> AsyncIterator[None]:
    """Let the gateway take its views for incomplete while the block runs, and show none."""
    settings = library.system.settings(Settings)
    client = patient_client(settings.mongo_url)
    views = client[f"{settings.database_prefix}_gateway"].account_views
    whole = await views.find_one_and_delete({"_id": WHOLE})
    try:
        yield
    finally:
        await views.replace_one({"_id": WHOLE}, whole, upsert=True)
        client.close()


def asks(page: Page) -> bool:
    return "Renewing costs you $6.00" in page.text and "Nothing has been renewed yet." in page.text


@pytest.mark.parametrize("chosen", ["one", "all"])
async def test_the_page_asks_before_a_renewal_charges_a_fine(late: Late, chosen: str) -> None:
    typed = {"all": "1"} if chosen == "all" else {"loan": late.loan_id}
    asked = await late.browser.submit(await late.browser.get("/"), "/renewals", **typed)
    assert asks(asked)
    assert "4 December 2020" in asked.text
    assert await late.owes() == 0

    done = await late.browser.submit(asked, "/renewals")
    assert done.path == "/"
    assert "renewed until 4 December 2020" in done.text
    assert "You've been fined $6.00 for the overdue days." in done.text
    assert await late.owes() == 600


@pytest.mark.parametrize("typed", [{"all": "1"}, {}], ids=["all", "one"])
async def test_the_page_asks_also_while_the_account_cannot_be_shown(
    late: Late, typed: dict[str, str]
) -> None:
    account = await late.browser.get("/")
    async with incomplete_views(late.library):
        asked = await late.browser.submit(account, "/renewals", **(typed or {"loan": late.loan_id}))
    assert asks(asked)
    assert await late.owes() == 0


async def test_the_page_asks_again_if_the_fine_has_grown_since_the_patron_agreed(
    late: Late,
) -> None:
    asked = await late.browser.submit(await late.browser.get("/"), "/renewals", all="1")
    assert asks(asked)
    late.browser.at = "2020-11-21T10:00:00+08:00"
    again = await late.browser.submit(asked, "/renewals")
    assert "Renewing costs you $7.50" in again.text
    assert await late.owes() == 0
