"""A reader finds a title and reserves it, in each language, with scripts and without."""

import pytest
from playwright.async_api import expect

from tests.web.browser import Watch, Windows
from tests.web.story import CENTRAL, SMALL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

RESERVED = {
    "en": "You are number",
    "zh-Hant": "在輪候名單上排第",
    "zh-Hans": "在排队名单上排第",
}
TWICE = {"en": "reserved this title already", "zh-Hant": "已預約此書", "zh-Hans": "已预约此书"}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("language", list(RESERVED))
async def test_a_reader_finds_a_title_and_reserves_it(
    windows: Windows, story: Story, watch: Watch, language: str, scripts: bool
) -> None:
    watch.expected.add(409)
    card = await story.library.patron(CENTRAL, language=language)
    page = await windows.open(language, card=card, scripts=scripts)
    await page.goto("/catalogue")
    await page.locator("#q").fill("everybody wants")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="A book that everybody wants").click()
    for said in (RESERVED[language], TWICE[language]):
        await page.locator("#pickup_branch").select_option(SMALL)
        await page.locator("main form[method=post] button").click()
        await page.locator("#said").get_by_text(said).wait_for()
    [hold] = (await story.library.get("/v1/me/holds", by=card))["items"]
    assert (hold["title_id"], hold["pickup_branch"]) == (story.titles["wanted"], SMALL)


async def test_a_day_that_has_passed_is_told_and_nothing_is_reserved(
    windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected.add(409)
    card = await story.library.patron(CENTRAL)
    page = await windows.open(card=card)
    await page.goto(f"/catalogue/{story.titles['wanted']}")
    await page.locator("#expires_on").fill("2021-02-01")
    await page.locator("main form[method=post] button").click()
    await page.locator("#said").get_by_text("This day has passed already").wait_for()
    await page.locator("#said").get_by_role("link", name="Not needed after").click()
    await expect(page.locator("#expires_on")).to_be_focused()
    await expect(page.locator("#expires_on")).to_have_value("2021-02-01")
    assert (await story.library.get("/v1/me/holds", by=card))["items"] == []


async def test_a_guest_is_led_to_log_in_and_back_to_the_title(
    windows: Windows, story: Story
) -> None:
    page = await windows.open()
    await page.goto("/catalogue?q=紅樓")
    await page.get_by_role("link", name="紅樓夢").click()
    await page.get_by_role("link", name="Log in to reserve").click()
    card = await story.library.patron(CENTRAL)
    await page.locator("#card_number").fill(card)
    await page.locator("#pin").fill("246810")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="紅樓夢", level=1).wait_for()
    assert await page.get_by_role("button", name="Reserve").is_visible()


async def test_what_is_written_as_markup_is_read_as_text(windows: Windows, story: Story) -> None:
    page = await windows.open()
    await page.goto(f"/catalogue/{story.titles['markup']}")
    assert await page.locator("h1").inner_text() == "<b>Tags</b> & how to read them"


async def test_a_library_says_whether_it_is_open_and_when_it_reopens(
    windows: Windows, story: Story
) -> None:
    page = await windows.open()
    await page.goto("/libraries")
    row = page.get_by_role("row", name="Hong Kong Central Library")
    assert "Open now" in await row.inner_text()
    row = page.get_by_role("row", name="North Lamma Public Library")
    assert "Closed until further notice" in await row.inner_text()
    await page.goto(f"/libraries/{CENTRAL}?on=2021-02-18")
    assert "It reopens on 19 February 2021" in await page.locator("main").inner_text()


async def test_a_recording_can_be_found_once_it_is_released(windows: Windows, story: Story) -> None:
    page = await windows.open()
    await page.goto("/activities?type=talk&past=1")
    await page.get_by_role("link", name="Outworkers of the New Towns").click()
    link = page.get_by_role("link", name="Watch the recording")
    assert await link.get_attribute("href") == "https://recordings.example/outworkers"
