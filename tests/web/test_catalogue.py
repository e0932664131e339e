"""The catalogue for a guest: a title, how to reserve it, and opening hours."""

from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Error, Page

from tests.support import until
from tests.web.axe import looked_at
from tests.web.browser import Windows
from tests.web.routes import LANGUAGES
from tests.web.story import CENTRAL, MAJOR, Story

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
    assert "Open now until 19:00" in " ".join((await row.inner_text()).split())
    row = page.get_by_role("row", name="North Lamma Public Library")
    assert "Closed until further notice" in await row.inner_text()
    await page.goto(f"/libraries/{CENTRAL}?on=2021-02-18")
    shown = await page.locator("main").inner_text()
    assert "It reopens on 19 February 2021" in shown
    assert "Paper and Ink" in shown


async def test_a_reader_sees_their_own_library_first(windows: Windows, story: Story) -> None:
    page = await windows.open()
    await windows.log_in(page, await story.library.patron(MAJOR))
    await page.goto("/libraries")
    first = page.locator("tbody tr").first
    assert "Sha Tin Public Library" in await first.inner_text()
    assert "My library" in await first.inner_text()


async def test_titles_found_come_first_on_a_phone_and_beside_the_filters_elsewhere(
    windows: Windows, story: Story
) -> None:
    phone = await windows.open(width=360)
    await phone.goto("/catalogue?q=the")
    first = await phone.locator("li.found").first.bounding_box()
    assert first is not None
    assert first["y"] < 640
    available = phone.get_by_role("link", name="Available now")
    assert not await available.is_visible()
    await phone.get_by_text("Narrow the search").click()
    await available.click()
    await phone.get_by_text("Remove this filter").wait_for()

    desk = await windows.open()
    await desk.goto("/catalogue?q=the")
    filters = await desk.get_by_role("link", name="Available now").bounding_box()
    first = await desk.locator("li.found").first.bounding_box()
    assert filters is not None
    assert first is not None
    assert filters["x"] + filters["width"] < first["x"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_record_of_a_title_passes_the_checks(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    page = await windows.open(language)
    await page.goto(f"/catalogue/{story.titles['dream']}")
    assert await page.locator("#subjects ~ ul a").count() == 2
    await looked_at(page, pictures, f"{language}-record")


async def test_a_title_is_reserved_from_the_front_page_in_three_taps(
    windows: Windows, story: Story, pictures: Path | None
) -> None:
    lent = await story.library.patron(CENTRAL)
    title = await story.library.post(
        "/v1/titles",
        {
            "title": "Tidewater lanterns",
            "authors": ["Okafor, Ngozi"],
            "kind": "book",
            "copies": [{"barcode": "TIDE-1", "category": "adult", "branch": CENTRAL}],
        },
        by="staff",
    )
    loan = {"card_number": lent, "barcodes": ["TIDE-1"], "branch": CENTRAL}
    await story.library.post("/v1/checkouts", loan, by="staff")
    page = await windows.open(width=360)
    await windows.log_in(page, await story.library.patron(CENTRAL))
    await page.goto("/catalogue")
    await looked_at(page, pictures, "en-360-catalogue-front")

    await page.locator("#q").click()
    await page.keyboard.type("tidew")
    suggested = page.locator(".suggestions a", has_text="Tidewater lanterns")
    await until(partial(_is_suggested, page))
    await looked_at(page, pictures, "en-360-suggestions")
    await suggested.click()
    await page.get_by_role("button", name="Reserve", exact=True).click()
    await page.get_by_text("Reserved. You are number 1 in the queue").wait_for()
    assert page.url.endswith(title["id"])
    assert await page.get_by_role("link", name="See your reservations").is_visible()


async def _is_suggested(page: Page) -> bool:
    """Return whether the title is suggested; if the index did not have it yet, type again."""
    await page.locator("#q").press_sequentially(" ")
    with suppress(Error):
        await page.locator(".suggestions a").first.wait_for(timeout=2000)
    return bool(await page.locator(".suggestions a").count())


async def test_a_misspelt_search_leads_to_the_title(
    windows: Windows, story: Story, pictures: Path | None
) -> None:
    page = await windows.open(width=360)
    await page.goto("/catalogue?q=factroy")
    await looked_at(page, pictures, "en-360-did-you-mean")
    await page.get_by_role("link", name="factory").click()
    await page.locator("li.found").first.wait_for()
    await looked_at(page, pictures, "en-360-found")
    await page.goto(f"/catalogue/{story.titles['dream']}")
    assert await page.locator("#cite ~ dl").inner_text() != ""
    assert page.url in await page.locator("#link").input_value()
