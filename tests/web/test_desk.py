"""The desk by keyboard, as a scanner types; the target of a copy, and typing errors."""

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from services.gateway.web.session import PLACE
from tests.library import PIN, unique
from tests.web.browser import Watch, Windows
from tests.web.story import CENTRAL, MAJOR, OPENING, Story, at

LINES_OF_ITS_FIRST_WORD = """cell => {
  const word = document.createRange();
  word.selectNodeContents(cell.firstChild);
  return word.getClientRects().length;
}"""

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def scan(page: Page, *barcodes: str) -> None:
    """Type what a scanner sends for each barcode: its characters, then Enter."""
    await expect(page.locator("#barcodes")).to_be_focused()
    for barcode in barcodes:
        await page.keyboard.type(barcode)
        await page.keyboard.press("Enter")


async def at_the_desk(windows: Windows, story: Story, path: str, *, scripts: bool = True) -> Page:
    """Open a page of a desk in the central library, which was chosen there before."""
    page = await windows.open(card=story.librarian, scripts=scripts)
    url = story.library.system.gateway_url
    await page.context.add_cookies([{"name": PLACE, "value": CENTRAL, "url": url}])
    await page.goto(path)
    return page


async def test_a_scanner_lends_and_returns_without_a_mouse(windows: Windows, story: Story) -> None:
    library = story.library
    card = await library.patron(CENTRAL)
    first, second = await library.copies(CENTRAL, 2)
    page = await at_the_desk(windows, story, "/desk")
    # Chromium sets the focus with the first frame, which may come after the load.
    await expect(page.locator("#card_number")).to_be_focused()
    await page.keyboard.type(card)
    await page.keyboard.press("Tab")
    await scan(page, first, "NOSUCHTHING", second)
    await page.keyboard.press("Enter")
    rows = page.locator("main table tbody tr")
    await rows.nth(2).wait_for()
    told = [await row.inner_text() for row in await rows.all()]
    assert ["12 March 2021" in told[0], "12 March 2021" in told[2]] == [True, True]
    assert "No item of the library has this barcode" in told[1]

    await page.get_by_role("link", name="Return").click()
    await page.wait_for_url("**/desk/returns")
    await scan(page, second, first)
    await page.keyboard.press("Enter")
    await rows.nth(1).wait_for()
    assert "Back to its shelf" in await rows.first.inner_text()
    assert (await library.get("/v1/me", by=card))["totals"]["loans"] == 0


@pytest.mark.parametrize("end", ["Enter", "Tab"])
async def test_a_scanner_may_end_each_code_with_enter_or_tab(
    windows: Windows, story: Story, end: str
) -> None:
    page = await at_the_desk(windows, story, "/desk")
    await expect(page.locator("#card_number")).to_be_focused()
    await page.keyboard.type("C1")
    await page.keyboard.press(end)
    for barcode in ("B1", "B2"):
        await page.keyboard.type(barcode)
        await page.keyboard.press(end)
    await expect(page.locator("#barcodes")).to_have_value("B1\nB2\n")
    await expect(page.locator("#card_number")).to_have_value("C1")
    await page.keyboard.press("Tab")  # on the empty line
    await expect(page.locator("form.scan button")).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Shift+Tab")
    await expect(page.locator("#card_number")).to_be_focused()


async def test_a_scan_while_a_page_loads_is_in_its_list(windows: Windows, story: Story) -> None:
    page = await at_the_desk(windows, story, "/desk/returns")
    shown = asyncio.Event()

    async def later(route: Route) -> None:
        await shown.wait()
        await route.continue_()

    await page.route("**/page.css", later)
    await page.goto("/desk?lang=en", wait_until="commit")
    await page.locator("#barcodes").wait_for(state="attached")
    for code in ("C1", "B1", "B2"):
        await page.keyboard.type(code)
        await page.keyboard.press("Enter")
    shown.set()
    await expect(page.locator("#card_number")).to_have_value("C1")
    await expect(page.locator("#barcodes")).to_have_value("B1\nB2\n")


async def test_a_scan_while_a_form_is_on_its_way_is_in_the_next_list(
    windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected.add(422)
    first, second, third = await story.library.copies(CENTRAL, 3)
    page = await at_the_desk(windows, story, "/desk/returns")
    asked, answered = asyncio.Event(), asyncio.Event()

    async def later(route: Route) -> None:
        if route.request.method == "POST":
            asked.set()
            await answered.wait()
        await route.continue_()

    await page.route("**/desk/returns", later)
    await scan(page, first)
    await page.keyboard.press("Enter")
    await asked.wait()
    await page.keyboard.type(second)
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")  # to the button
    await page.keyboard.type(third)
    await page.keyboard.press("Enter")
    answered.set()
    await expect(page.locator("main table tbody tr")).to_have_count(1)
    await expect(page.locator("#barcodes")).to_have_value(f"{second}\n{third}\n")

    # After a refusal its reason has the focus, which takes no text.
    await page.locator("#barcodes").fill("WHAT?100%")
    await page.locator("form.scan button").click()
    await expect(page.locator("#said")).to_be_focused()
    await page.keyboard.type("B1")
    await expect(page.locator("#barcodes")).to_have_value("WHAT?100%\nB1")


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
    await page.locator("#at").fill("2020-11-20")
    await page.get_by_role("button", name="Return").click()
    told = await page.locator("main table tbody tr").inner_text()
    assert "$6.00" in told
    assert "To Sha Tin Public Library, for a reader" in told

    # At its target library it is received, and the page names the hold it is kept for.
    await page.locator("#branch").select_option(MAJOR)
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
    await page.locator("#barcodes").fill(f"{barcode}\nWHAT?100%\n紅樓夢")
    await page.get_by_role("button", name="Return").click()
    told = await page.locator("#barcodes-fault").inner_text()
    assert "These are not barcodes: WHAT?100%, 紅樓夢." in told
    assert barcode not in told
    assert await page.locator("#barcodes").input_value() == f"{barcode}\nWHAT?100%\n紅樓夢"


async def test_text_and_codes_in_one_cell_stay_together_on_a_phone(
    windows: Windows, story: Story
) -> None:
    page = await windows.open(width=390, card=await story.caller("ops"))
    await page.goto("/audit-trail")
    cell = page.locator("td[data-label=Who]").first
    assert await cell.evaluate(LINES_OF_ITS_FIRST_WORD) == 1
    code = await cell.locator("code").bounding_box()
    whole = await cell.bounding_box()
    assert code is not None
    assert whole is not None
    assert code["x"] + code["width"] <= whole["x"] + whole["width"]
