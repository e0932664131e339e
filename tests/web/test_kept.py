"""The account without a network: kept where its reader asked for it, and gone after a log-out."""

import pytest
from playwright.async_api import Page, expect

from tests.support import until
from tests.web.axe import looked_at
from tests.web.browser import Watch, Windows, cut_network, scrolls_sideways
from tests.web.reader import Reader
from tests.web.story import CENTRAL, Story
from tests.web.test_offline import STORED

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

KEPT = """async () => {
  const kept = await caches.match("/me/copy", { cacheName: "carrel-account" });
  return kept ? await kept.text() : "";
}"""
CACHES = "async () => (await caches.keys()).length"
OTHER_RELEASE = """async () => {
  await navigator.serviceWorker.register("/static/other/patron-worker.js", { scope: "/" });
}"""
HTMX = '{"htmx-current-path-for-history":"/log-in"}'
"""The path of the page itself, which htmx stores for each window."""
HARMLESS = {"carrel_language", "carrel_device", "carrel_guest", "carrel_said"}
"""Cookies that a log-out leaves: none names anybody."""


async def keeping(windows: Windows, card: str, language: str = "en") -> Page:
    """Open a window of a patron that keeps the account."""
    page = await windows.open(language, card=card, width=360)
    await page.goto("/card")
    await page.locator("[data-keep=keep]").click()
    await expect(page.locator("[data-keep=forget]")).to_be_visible()
    assert card in await page.evaluate(KEPT)
    return page


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_without_a_network_the_account_is_there_as_last_seen(
    windows: Windows, story: Story, watch: Watch, language: str
) -> None:
    card = await story.reader(language)
    page = await keeping(windows, card, language)
    reader = Reader(page, language, "scripts")
    loans = (await story.library.get("/v1/me", by=card))["loans"]
    await page.goto("/")
    await cut_network(page)

    # A command says that it was not sent, and is repeated when there is a network again.
    await reader.press("Renew all")
    await expect(page.locator("#no-network")).to_be_visible()
    again = page.locator("#not-sent button")
    await expect(again).to_be_visible()
    await page.context.set_offline(False)
    await again.click()
    await expect(page.locator("#said")).to_be_visible()
    await expect(again).to_be_hidden()

    # A form that is sent without the script, and does not arrive, leads to the kept account.
    await page.goto("/")
    await cut_network(page)
    await page.evaluate("document.getElementById('on-loan').submit()")
    await expect(page.locator("#uncertain")).to_be_visible()

    # Each other page is the account as it was seen last, with the card.
    for path in ("/", "/catalogue", "/card"):
        await page.goto(path)
        await expect(page.locator("#number")).to_have_text(card)
        await expect(page.locator(".library-card svg")).to_have_count(2)
        await expect(page.get_by_text(f"Title {loans[0]['barcode']}")).to_be_visible()
        await expect(page.locator("main .memory")).to_contain_text("10:00")
        await expect(page.locator("#uncertain")).to_be_hidden()
    assert not await scrolls_sideways(page)
    await looked_at(page, None, "kept")
    await page.context.set_offline(False)
    await expect(page.locator("#back")).to_be_visible()
    await page.locator("#again").click()
    await expect(page.locator("#back")).to_have_count(0)

    watch.faults = [one for one in watch.faults if "htmx:" not in one]


async def test_after_a_log_out_nothing_is_left_in_the_browser(
    windows: Windows, story: Story
) -> None:
    for offline in (True, False):
        page = await keeping(windows, await story.library.patron(CENTRAL))
        await page.goto("/")
        if offline:
            await cut_network(page)
        await page.locator(".thumb-bar a[href='#pages']").click()
        await page.locator(".who button").click()
        await expect(page.locator("#not-sent" if offline else "#said")).to_be_visible()
        await gone(page)
    assert {one["name"] for one in await page.context.cookies()} <= HARMLESS
    stored = await page.evaluate(STORED)
    assert stored.replace(HTMX, "{}").split() == ["{}", "{}"]


async def gone(page: Page) -> None:
    """Wait until the browser keeps no page and no file."""

    async def deleted() -> bool:
        return bool(await page.evaluate(CACHES) == 0)

    await until(deleted)


async def test_the_account_is_deleted_when_its_session_is_over(
    windows: Windows, story: Story
) -> None:
    page = await keeping(windows, await story.library.patron(CENTRAL))
    await page.context.clear_cookies()
    await page.goto("/catalogue")
    await gone(page)


async def test_an_open_page_says_that_the_pages_were_updated(
    windows: Windows, story: Story
) -> None:
    page = await keeping(windows, await story.library.patron(CENTRAL))
    await page.goto("/")
    await expect(page.locator("#updated")).to_be_hidden()
    other = await page.context.new_page()
    await other.goto("/catalogue")
    await other.evaluate(OTHER_RELEASE)
    await expect(page.locator("#updated")).to_be_visible()
    await page.locator("#updated button").click()
    await expect(page.locator("#updated")).to_be_hidden()
