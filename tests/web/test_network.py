"""Without a network the pages say so, and what was to be sent can be sent later."""

import pytest
from playwright.async_api import expect

from services.gateway.web.session import PLACE
from tests.web.browser import Watch, Windows, cut_network
from tests.web.reader import Reader
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

NO_NETWORK = (
    "There is no connection to the library at the moment. Nothing on this page is lost. If you "
    "have just sent something, send it again once you are connected: it is done only once."
)


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_a_renewal_without_a_network_is_made_when_it_is_back(
    windows: Windows, story: Story, watch: Watch, language: str
) -> None:
    card = await story.reader(language)
    page = await windows.open(language, width=320, card=card)
    reader = Reader(page, language, "scripts")
    await page.goto("/")
    notice = page.locator("#no-network")
    await expect(notice).to_be_hidden()
    await cut_network(page)
    await reader.press("Renew all")
    await expect(notice).to_have_text(reader.say(NO_NETWORK))
    await expect(notice).to_be_in_viewport()
    await page.context.set_offline(False)
    await expect(notice).to_be_hidden()
    await reader.press("Renew all")
    await expect(page.locator("#said")).to_be_visible()
    # htmx reports each request that fails.
    watch.faults = [one for one in watch.faults if "htmx:" not in one]


async def test_a_scan_without_a_network_is_sent_when_there_is_one_again(
    windows: Windows, story: Story
) -> None:
    [barcode] = await story.library.copies(CENTRAL, 1)
    page = await windows.open(card=story.librarian)
    url = story.library.system.gateway_url
    await page.context.add_cookies([{"name": PLACE, "value": CENTRAL, "url": url}])
    await page.goto("/desk/returns")
    await page.locator("#barcodes").fill(barcode)
    await cut_network(page)
    await page.locator("#barcodes").press("Enter")
    await expect(page.locator("#no-network")).to_contain_text(NO_NETWORK)
    await page.context.set_offline(False)
    await expect(page.locator("main table tbody tr")).to_contain_text(barcode)
