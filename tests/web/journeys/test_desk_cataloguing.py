"""Journey of a new title: its ISBN, its copies with labels, and corrections of both."""

import pytest
from playwright.async_api import expect

from services.gateway.web.catalogue import copies, desk, imports
from tests.circulation.test_title_imports import iso2709, record
from tests.gateway.web.test_cataloguing import isbn, scanned
from tests.library import unique
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(desk.router, copies.router, imports.router)


@EACH_WAY
async def test_a_librarian_adds_a_title_with_copies_and_labels(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {404, 422}
    page, told, number = reader.page, reader.told, isbn()
    await page.goto("/desk/titles")
    await reader.log_in(story.librarian)

    # A mistyped ISBN is no ISBN; a new one begins a new title.
    await reader.fill("#isbn", number[:-1] + str((int(number[-1]) + 1) % 10))
    await page.locator("#isbn").press("Enter")  # as a scanner does
    await expect(page.locator("#said")).to_contain_text(
        reader.say("The check digit of this ISBN is wrong. Please scan or type it again.")
    )
    await reader.fill("#isbn", number)
    await page.locator("#isbn").press("Enter")
    await expect(page.locator("#isbn")).to_have_value(number)
    await reader.fill("#title_proper", "Boats of paper")
    await reader.fill("#authors", "Wong, Ka-yan")
    await reader.press("Save, then add copies")
    await told("The title is in the catalogue. Now add its copies.")

    # Its copies are numbered, and their labels can be scanned.
    await reader.choose("#branch", CENTRAL)
    await reader.fill("#call_number", "823.92 WON")
    await reader.fill("#count", "2")
    await reader.fill("#first_barcode", f"{unique('N')}-001")
    await reader.press("Add copies")
    await told("%(number)s copies are added. Print their labels here.", number=2)
    pictures = page.locator(".label svg")
    await expect(pictures).to_have_count(2)
    barcode = scanned(await pictures.first.evaluate("it => it.outerHTML"))

    # The title and the copy are corrected.
    await reader.follow("Boats of paper")
    await reader.follow("Change the title")
    await reader.fill("#year", "2016")
    await reader.press("Save")
    await told("The title is saved.")

    # Another edition is joined by its ISBN, so that readers can reserve any of the two.
    edition = isbn()
    other = {"title": "Boats of paper, revised", "authors": [], "isbn": edition, "kind": "book"}
    await story.library.post("/v1/titles", {**other, "copies": []}, by="staff")
    await reader.fill("#isbn", number)
    await reader.press("Join the editions")
    await expect(page.locator("#said")).to_contain_text(
        reader.say("No other title in the catalogue has this ISBN.")
    )
    await reader.fill("#isbn", edition)
    await reader.press("Join the editions")
    await told("Readers can now reserve any of these editions.")
    await expect(page.locator("main")).to_contain_text("Boats of paper, revised")
    await reader.press("Part this title from them")
    await told("This title is no longer an edition of another.")

    await reader.follow(barcode)
    await reader.follow("Change the item")
    await reader.fill("#note", "The map is missing")
    await reader.press("Save")
    await told("The item is saved.")

    # A file of MARC records is previewed, then imported; its report can be kept.
    await reader.follow("Add titles")
    control = unique("M")
    await reader.attach("#marc", "new.mrc", iso2709(record(control, "Kites"), record(control, "")))
    await reader.press("Preview")
    await expect(page.locator("main")).to_contain_text(
        reader.say("This is a preview. Nothing is in the catalogue yet.")
    )
    await reader.press("Import these records")
    await told("The file is imported. Sending it again changes nothing.")
    _, report = await reader.download("Download the report (CSV)")
    assert f"1,{control},Kites,added".encode() in report
    assert b"no title (245)" in report
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
