"""Journey of a day's till: opening, cash with change, a mistake, count, report and file."""

import pytest
from playwright.async_api import expect

from services.gateway.web.charges import till
from services.gateway.web.site import TEXTS
from tests.library import unique
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, find, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = [*routes_of(till.router), ("POST", "/desk/payments/{payment_id}/cancellation")]


@EACH_WAY
async def test_a_librarian_counts_the_till(reader: Reader, story: Story, watch: Watch) -> None:
    watch.expected |= {409, 422}
    page, told, library = reader.page, reader.told, story.library
    card = await story.debtor(reader.language)
    name = unique("T")[:20]
    await library.flow.settle()

    # No till is open: each journey closes its own.
    await page.goto("/desk/till")
    await reader.log_in(story.librarian)
    await reader.fill("#place", CENTRAL)
    await reader.press("Work here")
    await page.locator("#name").wait_for()
    await reader.fill("#float", "five")
    await reader.fill("#name", name)
    await reader.press("Open the till")
    await told("Enter an amount in dollars, such as 500.00.")
    await reader.fill("#float", "500.00")
    await reader.fill("#name", name)
    await reader.press("Open the till")
    await told(TEXTS.messages["till-opened"], float_cents=50_000)

    # A payment for another reader is recorded by mistake, cancelled, and taken again.
    await find(reader, card)
    for cancelled in (True, False):
        await reader.press("Record the selected as paid in cash")
        await told(TEXTS.messages["cash-recorded"], paid_cents=600)
        if cancelled:
            await reader.follow("Print the receipt")
            await reader.work(page.locator("main summary"))
            await reader.fill("#reason", "Another reader")
            await reader.press("Cancel the payment")
            await told(TEXTS.messages["payment-is-cancelled"], paid_cents=600)
            facts = page.locator("main dl.facts")
            await expect(facts).to_contain_text(reader.say("Blocked until charges are paid"))

    # The count is a dollar short.
    await page.goto("/desk/till")
    await expect(page.locator("main dl.totals")).to_contain_text(reader.words.money(50_600))
    await reader.fill("#counted", "505.00")
    await reader.press("Close the till")
    await told("The count differs from what is expected. Count again, or enter the reason.")
    await reader.fill("#reason", "Wrong change")
    await reader.press("Close the till")
    await told(TEXTS.messages["till-is-closed"], counted_cents=50_500)
    report = page.locator("main")
    for text in ("Wrong change", "Another reader", reader.words.money(-100)):
        await expect(report).to_contain_text(text)
    file, content = await reader.download("As a file (CSV)")
    assert file.startswith(f"till-{CENTRAL}-")
    assert content.count(b",6.00,HKD,") == 2
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
