"""A reader without a mouse: log in, renew all, log out; and it can be seen where they are."""

import pytest
from playwright.async_api import Page

from tests.library import PIN
from tests.web.browser import Windows
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

MOST_STEPS = 60


async def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Goes on with the key until the element has the focus; each on the way shows that it has."""
    for _ in range(MOST_STEPS):
        await page.keyboard.press(key)
        there, outline = await page.evaluate(
            "selector => [document.activeElement.matches(selector),"
            " getComputedStyle(document.activeElement).outlineStyle]",
            selector,
        )
        assert outline != "none", await page.evaluate("document.activeElement.outerHTML")
        if there:
            return
    raise AssertionError(f"{selector} is not reached in {MOST_STEPS} steps")


async def test_a_reader_without_a_mouse_logs_in_renews_all_and_logs_out(
    windows: Windows, story: Story
) -> None:
    card = await story.reader()
    page = await windows.open()
    await page.goto("/log-in")
    await tab_to(page, "#card_number")
    await page.keyboard.type(card)
    await tab_to(page, "#pin")
    await page.keyboard.type(PIN)
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="My Account", level=1).wait_for()

    await tab_to(page, "#renew-all")
    await page.keyboard.press("Enter")
    await page.locator("#said").wait_for()
    await page.wait_for_function("document.activeElement.id === 'said'")
    loans = (await story.library.get("/v1/me", by=card))["loans"]
    assert {loan["due_on"] for loan in loans} == {"2021-03-12"}

    await tab_to(page, ".who button", "Shift+Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/log-in")
    await page.goto("/")
    assert "/log-in" in page.url


async def test_the_first_step_skips_to_the_content(windows: Windows, story: Story) -> None:
    page = await windows.open(card=await story.reader())
    await page.goto("/")
    await tab_to(page, ".skip")
    await page.keyboard.press("Enter")
    await page.wait_for_function("document.activeElement.id === 'main'")
