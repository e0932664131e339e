"""Journey of a librarian's morning: Today, a list with its acts, and its file."""

import pytest
from playwright.async_api import expect

from services.gateway.web.today import desk as today
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(today.router)


@EACH_WAY
async def test_a_librarian_works_off_the_lists_of_the_day(
    reader: Reader, story: Story, watch: Watch
) -> None:
    library, page, told = story.library, reader.page, reader.told
    branch = await library.branch("district")
    card = await library.patron(branch)
    barcodes = [(await library.copies(branch, 1))[0] for _ in range(2)]
    await library.flow.settle(within=60)
    for barcode in barcodes:
        hold = await library.reserve(card, barcode, branch)
        await library.take_back([barcode], branch)
        await library.call("DELETE", f"/v1/holds/{hold['id']}", by="staff")

    await page.goto("/desk")
    await reader.log_in(story.librarian)
    await reader.fill("#place", branch)
    await reader.press("Work here")
    await expect(page.locator("#due")).to_be_visible()
    await reader.work(page.locator(".lengths a[href='/desk/lists/uncleared']"))
    await expect(page.locator("table.listing tbody tr")).to_have_count(2)
    name, content = await reader.download("As a file (CSV)")
    assert name.startswith(f"uncleared-{branch}-")
    assert all(barcode in content.decode("utf-8-sig") for barcode in barcodes)
    await reader.work(page.locator(f"button[value='scan:{barcodes[0]}']"))
    await told("%(barcode)s: back to its shelf.", barcode=barcodes[0])
    await expect(page.locator("table.listing tbody tr")).to_have_count(1)

    # From a bookmark of the former page, the menu leads to each list, with scripts by its length.
    await page.goto("/desk/fetching")
    await reader.work(page.locator(".day-lists summary"))
    if reader.way != "no scripts":
        length = page.locator(".day-lists a[href='/desk/lists/uncleared'] b")
        await expect(length).to_have_text("1")
    await reader.work(page.locator(".day-lists a[href^='/desk']").first)
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
