"""The desk by keyboard, as a scanner types; the target of a copy, and typing errors."""

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from services.gateway.web.session import PLACE
from tests.library import PIN, unique
from tests.web.browser import Watch, Windows, type_as_a_scanner
from tests.web.story import CENTRAL, MAJOR, OPENING, Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def lends_to(page: Page, card: str) -> None:
    """Scan a reader's card."""
    # Chromium sets the focus with the first frame, which may come after the load.
    await expect(page.locator("#card_number")).to_be_focused()
    await page.keyboard.type(card)
    await page.keyboard.press("Enter")


HELD = """() => {
  const own = window.fetch;
  const free = new Promise(done => { window.release = done; });
  window.fetch = async (...asked) => {
    window.asked = true;
    await free;
    return own(...asked);
  };
}"""
"""Let every request of the page wait until `release` is called."""


async def scan(page: Page, *barcodes: str) -> None:
    """Type what a scanner sends for each barcode: its characters, then Enter."""
    await expect(page.locator("#barcodes")).to_be_focused()
    for barcode in barcodes:
        await page.keyboard.type(barcode)
        await page.keyboard.press("Enter")


async def at_the_desk(windows: Windows, story: Story, path: str, *, scripts: bool = True) -> Page:
    """Open a page of a desk in the central library, which was chosen there before."""
    page = await windows.open(card=story.librarian, scripts=scripts)
    await standing_in(page, story, CENTRAL)
    await page.goto(path)
    return page


async def standing_in(page: Page, story: Story, branch: str) -> None:
    """Let the desk stand in a library, as if it had been chosen there."""
    url = story.library.system.gateway_url
    await page.context.add_cookies([{"name": PLACE, "value": branch, "url": url}])


async def test_a_scanner_lends_and_returns_without_a_mouse(windows: Windows, story: Story) -> None:
    library = story.library
    card = await library.patron(CENTRAL)
    first, second = await library.copies(CENTRAL, 2)
    page = await at_the_desk(windows, story, "/desk/lend")
    await lends_to(page, card)
    await scan(page, first, "NOSUCHTHING", second)
    rows = page.locator("#lines tbody tr")
    await rows.nth(2).wait_for()
    told = [await row.inner_text() for row in await rows.all()]  # the newest first
    assert ["12 March 2021" in told[0], "12 March 2021" in told[2]] == [True, True]
    assert "No item of the library has this barcode" in told[1]

    # The last one was a mistake.
    await page.get_by_role("button", name="Undo").click()
    await expect(rows.first).to_contain_text("Undone")
    await expect(page.get_by_role("button", name="Undo")).to_have_count(1)  # of the first
    assert (await library.get("/v1/me", by=card))["totals"]["loans"] == 1
    await scan(page, second)
    await expect(rows).to_have_count(4)

    # The next reader's card is scanned at once, and the item after it before the page is there.
    other = await library.patron(CENTRAL)
    [third] = await library.copies(CENTRAL, 1)
    await scan(page, other, third)
    await expect(page.locator("#reader")).to_have_text(f"Patron {other}")
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_contain_text("Lent")

    await page.locator(".pages").get_by_role("link", name="Return", exact=True).click()
    await page.wait_for_url("**/desk/returns")
    await scan(page, second, first)
    await rows.nth(1).wait_for()
    assert "Back to its shelf" in await rows.first.inner_text()
    assert (await library.get("/v1/me", by=card))["totals"]["loans"] == 0


@pytest.mark.parametrize("end", ["Enter", "Tab", ""])
async def test_a_scanner_may_end_each_code_with_enter_or_tab_or_nothing(
    windows: Windows, story: Story, end: str
) -> None:
    page = await at_the_desk(windows, story, "/desk/returns")
    codes = await story.library.copies(CENTRAL, 2)
    rows = page.locator("#lines tbody tr")
    for count, barcode in enumerate(codes, 1):
        await expect(page.locator("#barcodes")).to_be_focused()
        await type_as_a_scanner(page, barcode, end)
        await expect(rows).to_have_count(count)
        await expect(rows.first).to_contain_text(barcode)
        await expect(page.locator("#attention")).to_contain_text("This item is not on loan.")


async def test_a_scan_while_a_page_loads_is_answered(windows: Windows, story: Story) -> None:
    card = await story.library.patron(CENTRAL)
    barcodes = await story.library.copies(CENTRAL, 2)
    page = await at_the_desk(windows, story, "/desk/returns")
    shown = asyncio.Event()

    async def later(route: Route) -> None:
        await shown.wait()
        await route.continue_()

    await page.route("**/page.css", later)
    await page.goto("/desk/lend?lang=en", wait_until="commit")
    await page.locator("#card_number").wait_for(state="attached")
    await page.keyboard.type(card)
    await page.keyboard.press("Enter")
    for code in barcodes:
        await page.keyboard.type(code)
        await page.keyboard.press("Enter")
    shown.set()
    await expect(page.locator("#lines tbody tr")).to_have_count(2)
    await expect(page.locator("#lines")).to_contain_text("Lent")


async def test_a_card_and_its_items_are_typed_without_a_wait(
    windows: Windows, story: Story
) -> None:
    cards = [await story.library.patron(CENTRAL) for _ in range(2)]
    codes = await story.library.copies(CENTRAL, 4)
    page = await at_the_desk(windows, story, "/desk/lend?lang=en")
    await expect(page.locator("#card_number")).to_be_focused()
    for code in (cards[0], *codes[:2], cards[1], *codes[2:]):
        await page.keyboard.type(code)
        await page.keyboard.press("Enter")
    await expect(page.locator("#reader")).to_have_text(f"Patron {cards[1]}")
    rows = page.locator("#lines tbody tr").filter(has_text="Lent")
    await expect(rows).to_have_count(2)
    for card in cards:
        assert (await story.library.get("/v1/me", by=card))["totals"]["loans"] == 2
    # The address is the page's: the way back leads to the reader before, and to the card.
    assert "reader=" in page.url
    await page.go_back()
    await expect(page.locator("#reader")).to_have_text(f"Patron {cards[0]}")


async def test_scans_that_wait_for_an_answer_are_answered_in_their_order(
    windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected.add(422)
    first, second, third = await story.library.copies(CENTRAL, 3)
    page = await at_the_desk(windows, story, "/desk/returns")
    # Held in the page: nothing then depends on how a page that gets its worker meanwhile is held.
    await page.evaluate(HELD)
    await scan(page, first)
    await page.wait_for_function("window.asked")
    await page.keyboard.type(second)
    await page.keyboard.press("Enter")
    await page.keyboard.type(third)
    await page.keyboard.press("Enter")
    await page.evaluate("window.release()")
    rows = page.locator("#lines tbody tr")
    await expect(rows).to_have_count(3)
    shown = await rows.locator("th").all_inner_texts()
    assert [one.strip() for one in shown] == [third, second, first]

    # After a refusal of the whole its reason has the focus, which takes no text.
    await page.locator("#barcodes").fill("WHAT?100%")
    await page.keyboard.press("Enter")
    await expect(page.locator("#barcodes-fault")).to_contain_text("WHAT?100%")


async def test_a_return_shows_the_fine_and_the_patron_who_reserved_the_copy(
    windows: Windows, story: Story
) -> None:
    library = story.library
    late, waiting = [await library.patron(CENTRAL) for _ in range(2)]
    [barcode] = await library.copies(CENTRAL, 1)
    with at(library, OPENING):
        await library.lend(late, [barcode], CENTRAL)
    await library.reserve(waiting, barcode, MAJOR)
    page = await at_the_desk(windows, story, "/desk/returns", scripts=False)
    await page.locator("#barcodes").fill(barcode)
    await page.locator("main summary").click()
    await page.locator("#at").fill("2020-11-20")
    await page.get_by_role("button", name="Return").click()
    told = await page.locator("#lines tbody tr").inner_text()
    assert "$6.00" in told
    assert "To Sha Tin Public Library, for a reader" in told

    # At its target library it is received, and the page names the hold it is kept for.
    await standing_in(page, story, MAJOR)
    await page.goto("/desk/returns")
    await page.locator("#barcodes").fill(barcode)
    await page.get_by_role("button", name="Return").click()
    row = page.locator("main table tbody tr").filter(has_text="Arrived")
    await row.wait_for()
    kept = await row.inner_text()
    assert "To the shelf of reserved items" in kept
    assert f"For Patron {waiting}" in kept


async def test_a_patron_is_registered_and_can_log_in(windows: Windows, story: Story) -> None:
    policy = {"patron_category": "researcher", "max_loans": 20, "reason": "They read a lot"}
    await story.library.call("PUT", "/v1/policies/researchers", policy, by="staff")
    page = await at_the_desk(windows, story, "/desk/patrons", scripts=False)
    card = unique("NEW")
    typed = {"card_number": card, "name": "Wong Ka-yan", "pin": PIN, "phone": "2921 0388"}
    for name, value in typed.items():
        await page.locator(f"#{name}").fill(value)
    await page.locator("#home_branch").select_option(CENTRAL)
    assert (await page.locator("#category option").all_inner_texts())[:2] == ["Adult", "Junior"]
    await page.locator("#category").select_option("researcher")
    await page.get_by_role("button", name="Register").click()
    assert "Wong Ka-yan" in await page.locator("main dl").inner_text()
    [patron] = (await story.library.get(f"/v1/patrons?card={card}", by="staff"))["items"]
    assert patron["category"] == "researcher"
    assert await story.library._log_in(card)


async def test_an_error_is_shown_beside_its_field(
    windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected.add(422)
    page = await at_the_desk(windows, story, "/desk/patrons")
    typed = {"card_number": unique("NEW"), "name": "Wong Ka-yan", "pin": PIN, "phone": "x"}
    for name, value in typed.items():
        await page.locator(f"#{name}").fill(value)
    await page.get_by_role("button", name="Register").click()
    await page.locator("#phone-fault").wait_for()
    assert await page.locator("#phone").get_attribute("aria-invalid") == "true"
    assert await page.locator("#name").input_value() == "Wong Ka-yan"


async def test_a_malformed_barcode_is_named_and_the_list_is_kept(
    windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected.add(422)
    library = story.library
    [barcode] = await library.copies(CENTRAL, 1)
    page = await at_the_desk(windows, story, "/desk/returns", scripts=False)
    await page.locator("#barcodes").fill(f"{barcode} WHAT?100% 紅樓夢")
    await page.get_by_role("button", name="Return").click()
    told = await page.locator("#barcodes-fault").inner_text()
    assert "These are not barcodes: WHAT?100%, 紅樓夢." in told
    assert barcode not in told
    assert await page.locator("#barcodes").input_value() == f"{barcode} WHAT?100% 紅樓夢"


CAMERA = """
window.seen = [];  // as Chromium on Android has it, and not on the systems of these tests
window.BarcodeDetector = class {
  async detect() { return window.seen.map((rawValue) => ({ rawValue })); }
};
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  window.taken = canvas.captureStream(10);
  return window.taken;
};
"""


async def test_the_camera_of_a_phone_scans_each_item_once_until_it_is_put_away(
    windows: Windows, story: Story
) -> None:
    page = await at_the_desk(windows, story, "/desk/returns")
    camera = page.get_by_role("button", name="Camera")
    await expect(camera).to_be_hidden()
    await page.add_init_script(CAMERA)
    answer = await page.goto("/desk/returns")
    assert answer
    assert "camera=(self)" in answer.headers["permissions-policy"]
    codes = await story.library.copies(CENTRAL, 2)
    await camera.click()
    rows = page.locator("#lines tbody tr")
    for count, barcode in enumerate(codes, 1):
        await page.evaluate("code => { window.seen = [code]; }", barcode)
        await expect(rows).to_have_count(count)
        await expect(rows.first).to_contain_text(barcode)
        await page.wait_for_timeout(400)  # which is several looks at the same item
        await expect(rows).to_have_count(count)
    await camera.click()
    await expect(page.locator("video")).to_have_count(0)
    assert await page.evaluate("window.taken.getTracks().every((it) => it.readyState == 'ended')")


async def test_a_scan_while_the_last_answer_is_read_is_sent_once(
    windows: Windows, story: Story
) -> None:
    codes = await story.library.copies(CENTRAL, 3)
    page = await at_the_desk(windows, story, "/desk/returns")
    await page.evaluate("""() => {
        const text = Response.prototype.text;
        window.reading = 0;
        Response.prototype.text = async function () {
            window.reading += 1;
            await new Promise((done) => setTimeout(done, 1500));
            return text.call(this);
        };
    }""")
    await scan(page, codes[0])
    while not await page.evaluate("window.reading"):
        await page.wait_for_timeout(20)
    await scan(page, *codes[1:])
    rows = page.locator("#lines tbody tr th")
    await expect(rows).to_have_text([*reversed(codes)])
