"""The desk opens on Today; acts on its lists are true at once, and each list is a file."""

import csv
import io
from functools import partial
from typing import Any

from tests.gateway.web.browser import Browser, Page, insist
from tests.gateway.web.test_account_stories import NOVEMBER_2, copy_of
from tests.library import Library


async def at_desk(browser: Browser, library: Library, branch: str) -> None:
    """Log in as staff at the desk of a library."""
    browser.give("carrel_session", library.tokens["staff"])
    page = await insist(partial(browser.get, "/desk"))
    assert "Where is this desk?" in page.text
    page = await insist(partial(browser.submit, page, "/desk/place", place=branch))
    assert page.path == "/desk"
    assert "Before closing" in page.text


async def seen(browser: Browser, path: str) -> Page:
    return await insist(partial(browser.get, path))


def button(page: Page, begins: str) -> tuple[str, str]:
    """Return the first button of a list whose value begins so."""
    form = next(form for form in page.forms if any(name == "do" for name, _ in form.buttons))
    return next(one for one in form.buttons if one[1].startswith(begins))


async def pressed(browser: Browser, page: Page, begins: str, **typed: str) -> Page:
    """Press a button of a list, and return the list after it."""
    _, value = button(page, begins)
    path = page.path.partition("?")[0]
    after = await insist(partial(browser.submit, page, f"{path}/act", do=value, **typed))
    assert after.path.partition("?")[0] == path, after.text
    return after


async def waiting(library: Library, branch: str, name: str) -> tuple[str, dict[str, Any]]:
    """Return the barcode of a title's copy on the hold shelf, and its hold."""
    card = await library.patron(branch)
    barcode = await copy_of(library, name, branch)
    await library.flow.settle(within=60)
    hold = await library.reserve(card, barcode, branch)
    await library.take_back([barcode], branch)
    return barcode, hold


async def test_an_act_on_a_list_is_true_on_the_next_page(library: Library) -> None:
    library.now = NOVEMBER_2
    branch, other = await library.branch("district"), await library.branch("small")
    kept, hold = await waiting(library, branch, "Harbour Lights")
    card = await library.patron(branch)
    late, claimed, travels = [await library.copies(branch, 1) for _ in range(3)]
    await library.flow.settle(within=60)
    await library.lend(card, [*late, *claimed, *travels], branch)
    await library.take_back(travels, other)
    library.now = "2020-11-25T10:00:00+08:00"
    [loan] = (await library.get("/v1/desk-lists/overdue?branch=" + branch, by="staff"))["items"][:1]
    assert loan["barcode"] in (*late, *claimed)

    async with Browser(library.system.gateway_url, at=library.now) as browser:
        await at_desk(browser, library, branch)
        today = await seen(browser, "/desk")
        assert "Overdue 2" in today.text
        assert "Arriving 1" in today.text

        # A claim leaves the list of overdue items; it is settled where it is listed.
        await library.post(f"/v1/loans/{loan['id']}/claim", {}, by="staff")
        page = await seen(browser, "/desk/lists/overdue")
        assert loan["barcode"] not in page.text
        assert f"Patron {card} · {card}" in page.text
        page = await seen(browser, "/desk/lists/claimed")
        page = await pressed(browser, page, "reject:")
        assert "There is nothing on this list." in page.text
        assert "Overdue 2" in (await seen(browser, "/desk")).text

        # A hold that ends leaves its copy on the shelf, until a librarian clears it.
        await library.call("DELETE", f"/v1/holds/{hold['id']}", by="staff")
        page = await seen(browser, "/desk/lists/uncleared")
        assert "Harbour Lights" in page.text
        page = await pressed(browser, page, "scan:")
        assert f"{kept}: back to its shelf." in page.text
        assert "There is nothing on this list." in page.text

        # The desk scans a copy that arrives on the list of these copies.
        page = await seen(browser, "/desk/lists/arriving")
        page = await pressed(browser, page, "scan:")
        assert f"{travels[0]}: back to its shelf." in page.text

        # A copy in transit leaves with the others of its box.
        for barcodes in (late, claimed):
            await library.take_back(barcodes, branch)
        elsewhere = await library.copies(other, 2)
        await library.flow.settle(within=60)
        await library.lend(card := await library.patron(branch), elsewhere, other)
        await library.take_back(elsewhere, branch)
        page = await seen(browser, "/desk/lists/to-send")
        assert all(barcode in page.text for barcode in elsewhere)
        after = await insist(partial(browser.submit, page, "/desk/lists/to-send/act", do="send"))
        assert "There is nothing on this list." in after.text
        page = await seen(browser, "/desk/lists/on-the-way")
        assert all(barcode in page.text for barcode in elsewhere)
        page = await seen(browser, f"/desk/lists/on-the-way?q={elsewhere[1]}")
        assert f"/desk/copies/{elsewhere[1]}" in page.links
        assert f"/desk/copies/{elsewhere[0]}" not in page.links


async def test_a_file_of_a_list_starts_no_formula(library: Library) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    barcode, _ = await waiting(library, branch, '=HYPERLINK("http://example.org")')
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        await at_desk(browser, library, branch)
        page = await seen(browser, "/desk/lists/on-shelf.csv?lang=zh-Hant")
        assert page.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert page.html.startswith("\ufeff")
        heads, row = csv.reader(io.StringIO(page.html.removeprefix("\ufeff")))
        assert heads == ["讀者", "題名", "條碼", "領取期限"]
        assert row[1:3] == ['\'=HYPERLINK("http://example.org")', barcode]
        page = await seen(browser, "/desk/lists/on-shelf?whole=1&lang=en")
        assert barcode in page.text
        assert (await browser.get("/desk/lists/nothing")).status == 404


async def test_a_long_list_has_pages_of_less_than_60_kb(library: Library) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    barcodes = await library.copies(branch, 60)
    for barcode in barcodes:
        await library.post(f"/v1/copies/{barcode}/removal", {"fault": "missing"}, by="staff")
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        await at_desk(browser, library, branch)
        first = await seen(browser, "/desk/lists/lost")
        assert "60 rows" in first.text
        assert len(first.html.encode()) < 60_000
        last = await seen(browser, "/desk/lists/lost?at=50")
        shown = [page.html.count('name="do" value="scan:') for page in (first, last)]
        assert shown == [50, 10]
        found = await pressed(browser, last, "scan:")
        assert "59 rows" in found.text


async def test_study_rooms_and_visitors_are_lists_of_the_day(library: Library) -> None:
    library.now = NOVEMBER_2
    branch, other = await library.branch("district"), await library.branch("small")
    card = await library.patron(branch)
    sessions = [{"opens": "10:00", "closes": "13:00"}, {"opens": "14:00", "closes": "18:00"}]
    rules = {"places": 2, "days_ahead": 1, "most_bookings": 2, "sessions": sessions}
    path = f"/v1/study-rooms/{branch}"
    await library.call("PUT", path, rules, by="staff")
    await library.flow.settle(within=60)
    day = library.now[:10]
    codes = [
        (await library.post(f"{path}/bookings", {"day": day, "session": one}, by=card))["code"]
        for one in (1, 2)
    ]
    await library.post(f"{path}/check-ins", {"code": codes[0]}, by="staff")
    counts = {"door": "Garden", "entered": 5}
    await library.post(f"/v1/branches/{branch}/counts", counts, by="staff")
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        await at_desk(browser, library, branch)
        today = await seen(browser, "/desk")
        assert "Study room: places booked 2" in today.text
        assert "Visitors inside 5" in today.text
        page = await seen(browser, "/desk/lists/rooms")
        assert "2 rows" in page.text
        reader = f"Patron {card} · {card}"
        assert f"10:00–13:00 {reader} 2 November 2020 10:15 am Has come" in page.text
        assert f"14:00–18:00 {reader} 2 November 2020 2:15 pm Booked" in page.text
        assert f"/desk/study-sessions/{branch}/door" in page.links
        page = await seen(browser, f"/desk/lists/rooms?library={day}T06:00:00Z")
        assert "1 row" in page.text
        page = await seen(browser, "/desk/lists/visitors")
        assert "Garden 5 0" in page.text
        page = await seen(browser, "/desk/lists/visitors.csv?lang=zh-Hant")
        assert "Garden,5,0" in page.html

    async with Browser(library.system.gateway_url, at=library.now) as browser:
        await at_desk(browser, library, other)
        assert "places booked" not in (await seen(browser, "/desk")).text
        assert "Nobody has booked" in (await seen(browser, "/desk/lists/rooms")).text
