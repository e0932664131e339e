"""Journey of the desk without a network: its pages, and a scan that is sent later."""

import pytest
from playwright.async_api import expect

from services.gateway.web.offline import desk as offline_desk
from tests.support import until
from tests.web.browser import cut_network
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story
from tests.web.test_offline import PREPARED

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(offline_desk.router)


@EACH_WAY
async def test_a_desk_goes_on_without_a_network(reader: Reader, story: Story) -> None:
    library, page = story.library, reader.page
    card = await library.patron(CENTRAL)
    [barcode] = await library.copies(CENTRAL, 1)
    await page.goto("/desk/place")
    await reader.log_in(story.librarian)
    await reader.fill("#place", CENTRAL)
    await reader.press("Work here")
    await expect(page.locator("#said")).to_be_visible()
    for path in ("list", f"manifest?lang={reader.language}", f"page?lang={reader.language}"):
        answer = await page.goto(f"/desk/offline/{path}")
        assert answer is not None
        assert answer.ok
    await page.goto("/desk/offline")
    if reader.way == "no scripts":
        await expect(page.locator("main noscript")).to_have_count(1)
        await left(reader)
        return

    async def prepared() -> bool:
        return bool(await page.evaluate(PREPARED))

    await until(prepared)
    await cut_network(page)
    await page.goto("/desk/lend")
    await expect(page.locator("#card")).to_be_focused()
    await page.keyboard.type(f"{card}\n{barcode}\n")
    await expect(page.locator("main [data-kept]")).to_have_text("1")
    await page.context.set_offline(False)
    await reader.follow("Send the kept scans")
    await expect(page.locator("[data-state=done]")).to_have_count(1)
    assert [loan["barcode"] for loan in (await library.get("/v1/me", by=card))["loans"]] == [
        barcode
    ]
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
