"""The scan box with a scanner: whatever ends its codes, each is looked up without a mouse."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.web.axe import looked_at
from tests.web.browser import Windows, type_as_a_scanner
from tests.web.story import CENTRAL, Story
from tests.web.test_desk import at_the_desk

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("end", ["Enter", "Tab", ""])
async def test_a_scanned_code_is_looked_up_whatever_the_scanner_sends_after_it(
    windows: Windows, story: Story, end: str
) -> None:
    [barcode] = await story.library.copies(CENTRAL, 1)
    page = await at_the_desk(windows, story, "/desk/accounts")
    await page.goto("/desk/notices")
    await expect(page.locator("#find")).to_be_focused()
    await type_as_a_scanner(page, barcode, end)
    await page.wait_for_url(f"**/desk/copies/{barcode}")
    await expect(page.locator("h1")).to_be_visible()


async def test_a_name_typed_by_hand_is_sent_only_by_enter(windows: Windows, story: Story) -> None:
    card = await story.library.patron(CENTRAL)
    page = await at_the_desk(windows, story, "/desk/notices")
    await expect(page.locator("#find")).to_be_focused()
    await page.keyboard.type(f"patron {card}", delay=70)
    await page.keyboard.press("Tab")
    await expect(page.locator(".find button").first).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/desk/accounts/*")


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_the_pages_behind_the_scan_box_pass_the_checks(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    [barcode] = await story.library.copies(CENTRAL, 1)
    page = await windows.open(language, card=story.librarian)
    for name, path in (("place", "/desk/place"), ("copy", f"/desk/copies/{barcode}")):
        await page.goto(path)
        await looked_at(page, pictures, f"{language}-desk-{name}")
    await page.locator("#find").fill("patron")
    await page.locator("#find").press("Enter")
    await page.wait_for_url("**/desk/find")
    await looked_at(page, pictures, f"{language}-desk-found")
