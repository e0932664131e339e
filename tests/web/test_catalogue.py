"""The catalogue for a guest: a title, how to reserve it, and opening hours."""

from pathlib import Path

import pytest

from tests.web.axe import looked_at
from tests.web.browser import Windows
from tests.web.routes import LANGUAGES
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def test_a_guest_is_led_to_log_in_and_back_to_the_title(
    windows: Windows, story: Story
) -> None:
    page = await windows.open()
    await page.goto("/catalogue?q=紅樓")
    await page.get_by_role("link", name="紅樓夢").click()
    await page.get_by_role("link", name="Log in to reserve").click()
    card = await story.library.patron(CENTRAL)
    await page.locator("#card_number").fill(card)
    await page.locator("#pin").fill("482915")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="紅樓夢", level=1).wait_for()
    assert await page.get_by_role("button", name="Reserve").is_visible()


async def test_text_that_looks_like_markup_is_shown_as_text(windows: Windows, story: Story) -> None:
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


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_record_of_a_title_passes_the_checks(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    page = await windows.open(language)
    await page.goto(f"/catalogue/{story.titles['dream']}")
    assert await page.locator("#subjects ~ ul a").count() == 2
    await looked_at(page, pictures, f"{language}-record")
