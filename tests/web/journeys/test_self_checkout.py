"""Journey of a library that lets its readers borrow with their own phones."""

import pytest
from playwright.async_api import expect

from services.gateway.web.languages import LANGUAGES as LANGUAGES_OF_PAGES
from services.gateway.web.self_checkout import desk, patron
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import LANGUAGES, Driven, routes_of
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(patron.router, desk.router)


@EACH_WAY
async def test_a_reader_borrows_with_a_phone_where_the_desk_allows_it(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {409}
    library, page, say = story.library, reader.page, reader.say
    place = await library.branch()
    await library.flow.settle(within=60)
    card = await library.patron(place, language=reader.language)
    [barcode] = await library.copies(place, 1)
    [elsewhere] = await library.copies(await library.branch(), 1)
    await library.flow.settle(within=60)

    # The desk allows it, replaces the code once, and prints the sign.
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")
    await reader.follow("Borrowing by phone", within=".masthead")
    await reader.choose("#branch", place)
    await reader.press("Show")
    await reader.press("Allow borrowing by phone")
    await reader.told("Readers can borrow with their phones here now.")
    first = await page.locator("#day-code").inner_text()
    await reader.press("Replace the code")
    await reader.told("There is a new code. Put it at the door: the old one ended.")
    await expect(page.locator("#day-code")).not_to_have_text(first)
    code = await page.locator("#day-code").inner_text()
    await reader.follow("Print the sign for the door")
    await expect(page.locator(".poster svg")).to_be_visible()
    await expect(page.locator(".poster")).to_contain_text(code)
    for language in LANGUAGES:
        told = LANGUAGES_OF_PAGES[language].say("Borrow here with your phone")
        await expect(page.locator(f".poster p[lang={language}]")).to_contain_text(told)

    # The reader types the old code, then comes by the sign, and borrows.
    await windows.log_in(page, card)
    await page.goto("/borrow")
    await expect(page.locator("#branch")).to_have_value(place)
    await reader.fill("#day_code", first)
    await reader.fill("#barcode", barcode)
    await reader.press("Borrow")
    await expect(page.locator("#day_code-fault")).to_contain_text(
        say(
            "This isn't today's code of this library. It is on the sign at the door, and the staff "
            "know it."
        )
    )
    await page.goto(f"/borrow?branch={place}&code={code}")
    await reader.fill("#barcode", elsewhere)
    await reader.press("Borrow")
    await expect(page.locator("#said")).to_contain_text(
        say("By our records this item belongs somewhere else. Bring it to the desk.")
    )
    await reader.fill("#barcode", barcode)
    await reader.press("Borrow")
    await expect(page.locator(".entries h3")).to_have_count(1)
    [loan] = (await library.get("/v1/me/loans", by=card))["items"]
    await reader.told(
        "Borrowed: %(title)s. Return it by %(due_on)s.", title=loan["title"], due_on=loan["due_on"]
    )
    await expect(page.locator(".entries h3")).to_have_text(loan["title"])
    await reader.fill("#barcode", barcode)
    await reader.press("Borrow")
    said = say("You have this item on loan already.")
    await expect(page.locator("#said")).to_contain_text(said)
    gate = await library.get(f"/v1/copies/{barcode}/gate", by="staff")
    assert gate == {"barcode": barcode, "may_leave": True}
    await page.goto("/")
    await expect(page.locator(".pages").get_by_text(say("Borrow here"))).to_have_count(1)
    await left(reader)

    # The desk ends it; other libraries may go on.
    await windows.log_in(page, story.librarian)
    await page.goto(f"/desk/self-checkout?branch={place}")
    await reader.press("End borrowing by phone")
    await reader.told("Readers can't borrow with their phones here any more.")


CAMERA = """
window.seen = [];  // as Chromium on Android has it, and not on the systems of these tests
window.BarcodeDetector = class {
  async detect() { return window.seen.map((rawValue) => ({ rawValue })); }
};
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  return canvas.captureStream(10);
};
"""


async def test_the_camera_of_a_phone_borrows_one_item_after_the_other(
    windows: Windows, story: Story
) -> None:
    library = story.library
    place = await library.branch()
    await library.flow.settle(within=60)
    path = f"/v1/self-checkouts/{place}"
    code = (await library.call("PUT", path, {"allowed": True}, by="staff"))["day_code"]
    card = await library.patron(place)
    codes = await library.copies(place, 2)
    await library.flow.settle(within=60)
    page = await windows.open("en", card=card)
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.add_init_script(CAMERA)
    answer = await page.goto(f"/borrow?branch={place}&code={code}")
    assert answer
    assert "camera=(self)" in answer.headers["permissions-policy"]
    await page.get_by_role("button", name="Camera").click()
    for count, barcode in enumerate(codes, 1):
        await page.evaluate("code => { window.seen = [code]; }", barcode)
        await expect(page.locator(".entries li")).to_have_count(count)
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide
    await page.get_by_role("button", name="Camera").click()
    await expect(page.locator("video")).to_have_count(0)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
