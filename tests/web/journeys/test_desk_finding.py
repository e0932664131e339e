"""Journey of the scan box: where the desk is, and what a scanned code or a typed word is."""

import pytest
from playwright.async_api import expect

from services.gateway.web.copies import desk as copies_desk
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, find, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, MAJOR, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(copies_desk.router)


@EACH_WAY
async def test_a_librarian_finds_items_and_readers(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {422}
    library, page, told = story.library, reader.page, reader.told
    card = await library.patron(CENTRAL)
    [barcode] = await library.copies(CENTRAL, 1)

    # The desk says where it stands; a library that there is not is no place.
    await page.goto("/desk/accounts")
    await reader.log_in(story.librarian)
    await reader.follow("Choose the library of this desk")
    await reader.fill("#place", "Atlantis")
    await reader.press("Work here")
    await told("No library has this name. Choose one of the list.")
    await reader.fill("#place", CENTRAL)
    await reader.press("Work here")

    # A barcode leads to its item, which is taken out of lending and put back.
    await find(reader, barcode)
    await page.wait_for_url(f"**/desk/copies/{barcode}")
    await reader.choose("#fault", "damaged")
    await reader.press("Take it out of lending")
    await told("The item is no longer lent.")
    recover = page.locator("main form[action$='/recovery'] button")
    await reader.work(recover)
    await told("The item is lent again.")

    # It is given to another library, and remembers what happened to it.
    await reader.choose("#to", MAJOR)
    await reader.press("Move it")
    await expect(page.locator("#said")).to_be_focused()
    await expect(page.locator("#past tbody tr, section:has(#past) tbody tr")).to_have_count(3)

    # A card leads to its reader, and so does the name; other words list titles.
    await find(reader, card)
    await page.wait_for_url("**/desk/accounts/*")
    await find(reader, f"Title {barcode}")
    await page.wait_for_url("**/desk/find")
    await expect(page.locator("#titles")).to_be_visible()
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
