"""Steps that journeys of several subjects take, and the ways in which each journey is taken."""

import pytest
from playwright.async_api import expect

from tests.web.reader import Reader

EACH_WAY = pytest.mark.parametrize(
    ("language", "way"),
    [("en", "keyboard"), ("zh-Hant", "scripts"), ("zh-Hans", "no scripts")],
)
"""Each journey is made in every way and in every language, but not in every pair of them.

The server writes all texts, with or without scripts, and the scripts know no language
(tests/gateway/web/test_languages.py), so no fault needs one way and one language to appear.
"""
NAMELESS = "[data-live] :is(a, button, input:not([type=hidden])):not([id])"
"""Elements that would lose the focus when the account changes while it is open."""


async def left(reader: Reader) -> None:
    """Log out; the browser's back button must then show nothing of the account."""
    page = reader.page
    await reader.work(page.locator(".mark"))
    first = page.locator(".pages [aria-current=page], main form[action='/desk/place']").first
    await expect(first).to_be_visible()
    await reader.press("Log out", within=".masthead")
    await reader.told("You have logged out.")
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text(reader.say("Log in"))


async def one_library(reader: Reader, place: str) -> None:
    """Choose one of the libraries."""
    await reader.work(reader.page.locator("main summary"))
    await reader.work(reader.page.locator(f"[name=branches][value={place}]"))


async def find(reader: Reader, text: str) -> None:
    """Type a text into the scan box and send it; by keyboard with Enter, as a scanner does."""
    if reader.way == "keyboard":
        await reader.scan("#find", text)
    else:
        await reader.fill("#find", text)
        await reader.press("Find", within=".find")


async def scan(reader: Reader, selector: str, code: str) -> None:
    """Fill in a code and send it; by keyboard with Enter, as a scanner does."""
    if reader.way == "keyboard":
        await reader.scan(selector, code)
    else:
        await reader.fill(selector, code)
        await reader.work(reader.page.locator("form.scan button").first)
