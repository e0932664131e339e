"""Logging in through the page."""

from playwright.async_api import Page

from tests.library import PIN


async def log_in(page: Page, card: str, to: str = "/") -> None:
    """Log in with a card of the story, and be at `to`."""
    await page.goto(f"/log-in?next={to}")
    await page.locator("#card_number").fill(card)
    await page.locator("#pin").fill(PIN)
    await page.locator("main form button").click()
    await page.wait_for_url(lambda url: "/log-in" not in url)
