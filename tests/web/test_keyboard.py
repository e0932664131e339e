"""A reader without a mouse: log in, renew all, log out; and it can be seen where they are."""

import pytest
from playwright.async_api import Page, Route

from tests.library import PIN
from tests.web.browser import Windows
from tests.web.story import CENTRAL, Story

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


async def test_a_change_that_comes_while_a_form_is_on_its_way_does_not_take_the_form_away(
    windows: Windows, story: Story
) -> None:
    """The answer to a form goes where the form says, so the form has to be there still."""
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


async def test_the_first_step_skips_to_the_content(windows: Windows, story: Story) -> None:
    page = await windows.open(card=await story.reader())
    await page.goto("/")
    await tab_to(page, ".skip")
    await page.keyboard.press("Enter")
    await page.wait_for_function("document.activeElement.id === 'main'")
