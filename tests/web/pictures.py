"""The pictures of README.md, made anew by `make pictures`."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from services.gateway.web.session import PLACE
from tests.library import unique
from tests.web.browser import Windows
from tests.web.story import CENTRAL, Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
MOST_BYTES = 150 * 1024
LENT = {
    "2020-11-12T10:00:00+08:00": "The Keeper's Daughter",
    "2021-02-22T10:00:00+08:00": "Tides of the Harbour",
    "2021-02-24T10:00:00+08:00": "Islands by Ferry",
}
"""Titles by when they were lent; the first is overdue since before the suspension of fines."""
PHONE, DESK = (390, 800), (1180, 800)


async def taken(page: Page, name: str, size: tuple[int, int]) -> None:
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    picture = FOLDER / f"{name}.png"
    await page.screenshot(path=picture, animations="disabled")
    assert picture.stat().st_size < MOST_BYTES, name


async def test_the_pictures_are_made(windows: Windows, story: Story) -> None:
    FOLDER.mkdir(exist_ok=True)
    library = story.library
    card = await library.patron(CENTRAL)
    for day, title in LENT.items():
        copy = {"barcode": unique("K"), "category": "adult", "branch": CENTRAL}
        body = {"title": title, "authors": ["Wong Ka-yan"], "kind": "book", "copies": [copy]}
        await library.post("/v1/titles", body, by="staff")
        with at(library, day):
            await library.lend(card, [copy["barcode"]], CENTRAL)
    await library.flow.settle(within=60)
    phone = await windows.open(width=PHONE[0], card=card)
    await phone.goto("/")
    await taken(phone, "my-account", PHONE)

    page = await windows.open(card=card)
    account = await library.get("/v1/me", by=card)
    late = min(account["loans"], key=lambda loan: loan["due_on"])
    await page.goto(f"/loans/{late['id']}")
    await taken(page, "fine", DESK)

    desk = await windows.open(card=story.librarian)
    url = library.system.gateway_url
    await desk.context.add_cookies([{"name": PLACE, "value": CENTRAL, "url": url}])
    await desk.goto("/desk")
    await taken(desk, "desk", DESK)

    await desk.goto("/desk/closures")
    await desk.locator("main summary").click()
    await desk.locator(f"[name=branches][value={CENTRAL}]").check()
    await desk.fill("#from", "2021-03-01")
    await desk.fill("#reopened_on", "2021-03-15")
    await desk.fill("#reason", "Works in the building")
    await desk.locator("form[action*=preview] button").click()
    await expect(desk.locator("dl.facts, table").first).to_be_visible()
    await taken(desk, "closure", DESK)
