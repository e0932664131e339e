"""Pages as readers adapt them: forced colours, text twice as large, no motion."""

import pytest
from playwright.async_api import Page

from services.gateway.web.session import PLACE
from tests.web.browser import Windows, scrolls_sideways
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

PATRON = ("/", "/catalogue?q=factory", "/lists", "/libraries", "/setting")
DESK = ("/desk", "/desk/lend", "/desk/lists/overdue")
WITHOUT_EDGE = """() => [...document.querySelectorAll(
    "main :is(button, .button, select, textarea, .flag, .sign),"
    + "main input:not([type=hidden], [type=checkbox], [type=radio])"
  )].filter((one) => one.checkVisibility() && parseFloat(getComputedStyle(one).borderTopWidth) < 1)
  .map((one) => one.outerHTML)"""
"""Parts that only a ground would show, which forced colours take away."""
MOVING = """() => [...document.querySelectorAll("body *")].filter((one) => {
    const { transitionDuration, animationName } = getComputedStyle(one);
    return animationName !== "none" || parseFloat(transitionDuration) > 0;
  }).map((one) => one.outerHTML)"""


async def opened(windows: Windows, story: Story) -> list[tuple[Page, tuple[str, ...]]]:
    patron = await windows.open(width=640, card=await story.reader())
    desk = await windows.open(width=640, card=story.librarian)
    url = story.library.system.gateway_url
    await desk.context.add_cookies([{"name": PLACE, "value": CENTRAL, "url": url}])
    return [(patron, PATRON), (desk, DESK)]


async def test_pages_stay_whole_as_readers_adapt_them(windows: Windows, story: Story) -> None:
    for page, paths in await opened(windows, story):
        await page.emulate_media(forced_colors="active", reduced_motion="reduce")
        for path in paths:
            await page.goto(path)
            assert await page.evaluate(WITHOUT_EDGE) == [], path
            assert await page.evaluate(MOVING) == [], path
            await page.evaluate("document.documentElement.style.fontSize = '200%'")
            assert not await scrolls_sideways(page), path
