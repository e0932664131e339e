"""My Account as it changes, the days of a fine on a phone, and the chosen language."""

import asyncio
from functools import partial
from typing import Literal

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.web.axe import no_serious_findings
from tests.web.browser import Windows, scrolls_sideways
from tests.web.story import CENTRAL, Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

Media = Literal["screen", "print"]


async def test_the_days_of_a_fine_can_be_seen_on_a_phone(windows: Windows, story: Story) -> None:
    page = await windows.open(card=await story.debtor(), width=320)
    await page.goto("/")
    await page.get_by_role("link", name="Overdue fine").click()
    await expect(page.locator(".strip i")).to_have_count(4)
    await expect(page.get_by_text("4 days · charged")).to_be_visible()
    assert not await scrolls_sideways(page)
    await no_serious_findings(page)


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_the_first_screen_of_a_phone_says_what_is_due(
    windows: Windows, story: Story, language: str
) -> None:
    page = await windows.open(language, card=await story.reader(language), width=360, scripts=False)
    await page.set_viewport_size({"width": 360, "height": 640})
    await page.goto("/")
    bar = await page.locator(".thumb-bar").bounding_box()
    due = await page.locator(".next .due strong").bounding_box()
    renew = await page.locator("#renew-next").bounding_box()
    head = await page.locator(".masthead-rows").bounding_box()
    assert bar
    assert due
    assert renew
    assert head
    assert head["height"] <= 60
    assert due["y"] < renew["y"] < renew["y"] + renew["height"] <= bar["y"] == 640 - bar["height"]
    log_out = page.locator(".who button")
    await expect(log_out).to_be_hidden()
    await page.locator(".thumb-bar a[href='#pages']").click()
    await expect(log_out).to_be_visible()
    await page.locator(".close-menu").click()
    await expect(log_out).to_be_hidden()
    assert not await scrolls_sideways(page)


async def test_a_patron_renews_pays_and_shows_the_card_in_one_or_two_taps(
    windows: Windows, story: Story
) -> None:
    """A tap is a click on what is in sight: nothing is scrolled to."""

    async def taps(card: str, *selectors: str) -> Page:
        page = await windows.open(card=card, width=360)
        await page.set_viewport_size({"width": 360, "height": 640})
        await page.goto("/")
        await expect(page.locator("#account")).to_be_visible()
        for selector in selectors:
            await expect(page.locator(selector)).to_be_in_viewport(ratio=0.9)
            await page.locator(selector).click()
        return page

    reader = await story.reader()
    await expect((await taps(reader)).locator(".next .due strong")).to_be_in_viewport()
    await expect((await taps(reader, "[href='/card'] >> nth=-1")).locator("#number")).to_have_text(
        reader
    )
    for button in ("#renew-next", "#renew-all-now"):
        page = await taps(await story.reader(), button)
        await expect(page.locator("#said")).to_contain_text("renewed until")
    page = await taps(await story.debtor(), "#total-to-pay", "#pay")
    await expect(page.locator("#said")).to_contain_text("Paid: $6.00")


def _note(loaded: list[float], event: dict[str, float]) -> None:
    loaded.append(event["encodedDataLength"])


async def test_a_first_visit_to_a_page_loads_at_most_40_kb(windows: Windows, story: Story) -> None:
    """Bytes on the line, with headers, scripts and styles, and with nothing kept from before."""
    first = await windows.open(card=await story.reader())
    title = f"/catalogue/{story.titles['dream']}"
    for path in ("/", "/catalogue", title, "/inbox", "/setting", "/card", "/libraries", "/lists"):
        page = await first.context.new_page()
        client = await page.context.new_cdp_session(page)
        await client.send("Network.enable")
        await client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        loaded: list[float] = []
        client.on("Network.loadingFinished", partial(_note, loaded))
        await page.goto(path)
        await client.send("Network.disable")  # after all events of this session
        await page.close()
        assert len(loaded) >= 3, path
        assert sum(loaded) <= 40_000, (path, loaded)


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_long_states_fit_a_phone(windows: Windows, story: Story, language: str) -> None:
    library = story.library
    place = await library.branch()
    card = await library.patron(place, language=language)
    season = f"/v1/study-seasons/{await library.season(place)}"
    await library.post(f"{season}/application", {"branch": place}, by=card)
    with at(library, "2021-02-27T10:00:00+08:00"):
        await library.post(f"{season}/closing", by="staff")
        await library.post(f"{season}/draw", by="staff")
    question = await story.ask(card)
    body = {"text": "Which of them?", "asks": True, "seen": 1}
    await library.post(f"/v1/enquiries/{question}/answers", body, by="staff")
    page = await windows.open(language, card=card, width=320)
    for path in ("/", "/enquiries", f"/study-rooms/{season.rpartition('/')[2]}"):
        await page.goto(path)
        assert not await scrolls_sideways(page), path
        flag = page.locator(".flag").first
        assert await flag.evaluate("it => it.scrollWidth <= it.clientWidth"), path


@pytest.mark.parametrize("media", ["screen", "print"])
async def test_an_account_fits_a_tablet_and_paper(
    windows: Windows, story: Story, media: Media
) -> None:
    page = await windows.open(card=(await story.busy_reader()).card)
    await page.emulate_media(media=media)
    await page.goto("/")
    for width in (640, 705, 768, 820, 864, 865, 1024):
        await page.set_viewport_size({"width": width, "height": 900})
        assert not await scrolls_sideways(page), width
    assert await page.locator("#renew-all").is_visible() == (media == "screen")


async def test_an_open_account_page_updates_itself_and_keeps_ticked_boxes(
    windows: Windows, story: Story
) -> None:
    card = await story.reader()
    page = await windows.open(card=card)
    async with page.expect_request("**/me/stream*"):
        await page.goto("/")
    await page.evaluate("window.loaded = 'once'")
    tick = page.locator("tbody input[name=loan]").first
    await tick.check()
    await expect(tick).to_be_focused()
    [barcode] = await story.library.copies(CENTRAL, 1)
    await story.library.flow.settle()
    await story.library.lend(card, [barcode], CENTRAL)
    await expect(page.locator("tbody input[name=loan]")).to_have_count(3)
    await expect(page.locator("#announcer")).to_have_text("Your account has changed.")
    assert await page.evaluate("window.loaded") == "once"
    await expect(page.locator("tbody input[name=loan]:checked")).to_have_count(1)
    await expect(page.locator("tbody input[name=loan]:checked")).to_be_focused()


async def test_a_page_has_one_language_when_another_was_chosen_in_another_window(
    windows: Windows, story: Story
) -> None:
    card = await story.reader()
    titled = await windows.open(card=card)
    other = await titled.context.new_page()
    plain = await titled.context.new_page()
    await other.goto("/libraries?lang=en")
    for page, path in ((titled, "/?lang=en"), (plain, "/")):
        async with page.expect_request("**/me/stream*"):
            await page.goto(path)
    await other.goto("/libraries?lang=zh-Hant")
    [barcode] = await story.library.copies(CENTRAL, 1)
    await story.library.flow.settle()
    await story.library.lend(card, [barcode], CENTRAL)
    for page in (titled, plain):
        await expect(page.locator("tbody input[name=loan]")).to_have_count(3)
        await expect(page.locator("h1")).to_have_text("My Account")
    await other.goto("/libraries")
    await expect(other.locator("html")).to_have_attribute("lang", "zh-Hant")

    await titled.locator("#renew-all").click()
    await titled.locator("#said").wait_for()
    # The next change comes in the language that the answer brought, and leaves its message.
    await story.library.flow.settle()
    await story.library.lend(card, await story.library.copies(CENTRAL, 1), CENTRAL)
    for page, language, heading in ((titled, "zh-Hant", "我的帳戶"), (plain, "en", "My Account")):
        await expect(page.locator("tbody input[name=loan]")).to_have_count(4)
        await expect(page.locator("h1")).to_have_text(heading)
        for part in ("#main", "#masthead", "#announcer"):
            await expect(page.locator(part)).to_have_attribute("lang", language)
    await expect(titled.locator("#said")).to_be_visible()


async def test_a_change_during_a_form_submission_does_not_interrupt_it(
    windows: Windows, story: Story
) -> None:
    """The answer to a form goes where the form says, so the form must still be there."""
    card = await story.reader()
    [barcode] = await story.library.copies(CENTRAL, 1)
    page = await windows.open(card=card)

    async def held_up(route: Route) -> None:
        async with page.expect_response(lambda answer: answer.request.resource_type == "fetch"):
            await story.library.lend(card, [barcode], CENTRAL)
        await route.continue_()

    await page.route("**/renewals", held_up)
    async with page.expect_request("**/me/stream*"):
        await page.goto("/")
    await page.locator("#renew-all").click()
    await page.locator("#said").wait_for()
    assert await page.locator("#announcer").count() == 1


async def test_an_open_account_page_that_is_logged_out_says_so(
    windows: Windows, story: Story
) -> None:
    """The page learns that its session has ended before it has the answer to its own form."""
    page = await windows.open(card=await story.reader())
    over = asyncio.Event()

    def end(request: Request) -> None:
        if "/me/stream" in request.url:
            over.set()

    async def held_up(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        await over.wait()
        await route.fulfill(response=answer)

    def note(request: Request) -> None:
        if request.resource_type == "fetch":
            fetched.append(request.url)

    fetched: list[str] = []
    page.on("request", note)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    await page.route("**/log-out", held_up)
    async with page.expect_request("**/me/stream*"):
        await page.goto("/")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.locator("#said")).to_have_text("You have logged out.")
    assert fetched == []


async def test_an_open_account_page_goes_on_after_a_form_that_was_stopped(
    windows: Windows, story: Story
) -> None:
    card = await story.reader()
    [barcode] = await story.library.copies(CENTRAL, 1)
    await story.library.flow.settle()
    page = await windows.open(card=card)
    await page.clock.install()
    await page.route("**/log-out", lambda route: route.abort("aborted"))  # as by the Escape key
    async with page.expect_request("**/me/stream*"):
        await page.goto("/")
    async with page.expect_event("requestfailed", lambda request: "/log-out" in request.url):
        await page.get_by_role("button", name="Log out").click()
    await story.library.lend(card, [barcode], CENTRAL)
    async with page.expect_request("**/me/stream*"):
        await page.clock.fast_forward(60_000)
    await expect(page.locator("tbody input[name=loan]")).to_have_count(3)


async def test_a_chosen_language_is_kept(windows: Windows, story: Story) -> None:
    page = await windows.open(card=await story.reader())
    await page.goto("/setting")
    await page.locator("summary", has_text="Language").click()
    await page.get_by_role("radio", name="繁體中文").check()
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("我的設定")
    await page.get_by_role("link", name="我的帳戶").click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-Hant")


async def test_the_first_tab_stop_skips_to_the_content(windows: Windows, story: Story) -> None:
    page = await windows.open(card=await story.reader())
    await page.goto("/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator(".next a")).to_be_focused()
