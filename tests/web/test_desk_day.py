"""A librarian's day at two libraries, from the float of the till to its report."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import expect

from services.circulation.settings import Settings as CirculationSettings
from services.gateway.web.site import TEXTS
from shared.mongo import connect
from tests.library import PIN, Library, unique
from tests.support import until
from tests.web.browser import Watch, cut_network
from tests.web.journeys.steps import EACH_WAY, find, left, scan
from tests.web.reader import Reader
from tests.web.story import Story, at
from tests.web.test_offline import PREPARED

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

STEPS = 60


class Day:
    """The acts of a day at a desk; each is a step."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.page = reader, reader.page
        self.steps: list[str] = []

    async def stand(self, place: str) -> None:
        """Say where the desk is."""
        self.steps.append(f"stand at {place}")
        await self.page.goto("/desk/place")
        await self.reader.fill("#place", place)
        await self.reader.press("Work here")
        await self.said()

    async def said(self) -> None:
        """Wait for the answer to a command on the next page."""
        await expect(self.page.locator("#said")).to_be_visible()

    async def find(self, text: str) -> None:
        """Type or scan into the box of each page."""
        self.steps.append(f"find {text}")
        await find(self.reader, text)
        await self.page.wait_for_load_state()

    async def scans(self, *codes: str) -> None:
        """Scan items on the page to lend or to return."""
        for code in codes:
            self.steps.append(f"scan {code}")
            await scan(self.reader, "#barcodes", code)
            await expect(self.page.locator("#lines tbody tr").first).to_contain_text(code)

    async def opens(self, path: str) -> None:
        """Open a page of the menu or a list."""
        self.steps.append(f"open {path}")
        await self.page.goto(path)

    async def listed(self, name: str, *rows: str) -> None:
        """Open a list of the day, and find these rows and no others."""
        await self.opens(f"/desk/lists/{name}")
        shown = self.page.locator("table.listing tbody tr")
        await expect(shown).to_have_count(len(rows))
        for row in rows:
            await expect(shown.filter(has_text=row)).to_have_count(1)

    async def presses(self, button: str, answer: str = "", **facts: Any) -> None:
        """Press a button, and read the answer."""
        self.steps.append(button)
        await self.reader.press(button)
        if answer:
            await self.reader.told(answer, **facts)

    async def follows(self, link: str) -> None:
        """Follow a link of the page."""
        self.steps.append(link)
        await self.reader.follow(link, within="main")

    async def slip(self, address: str, text: str) -> None:
        """Open a slip as it is printed."""
        self.steps.append(f"print {address}")
        link = self.page.locator(f"a[href*='{address}']").first
        await self.page.goto(str(await link.get_attribute("href")))
        await expect(self.page.locator("article.slip")).to_contain_text(text)


def isbn() -> str:
    """Return an ISBN that no other title of the tests has."""
    digits = f"978988{uuid4().int % 10**6:06}"
    odd, even = (sum(map(int, digits[first::2])) for first in (0, 1))
    return f"{digits}{-(odd + 3 * even) % 10}"


async def goes_on_offline(day: Day, library: Library, place: str) -> None:
    """Lend an item while the network is cut, and send the scans when it is back."""
    card = await library.patron(place)
    [barcode] = await library.copies(place, 1)
    await day.opens("/desk/offline")

    async def prepared() -> bool:
        return bool(await day.page.evaluate(PREPARED))

    await until(prepared)
    await cut_network(day.page)
    await day.opens("/desk/lend")
    await expect(day.page.locator("#card")).to_be_focused()
    await day.page.keyboard.type(f"{card}\n{barcode}\n")
    await expect(day.page.locator("main [data-kept]")).to_have_text("1")
    await day.page.context.set_offline(False)
    await day.follows("Send the kept scans")
    await expect(day.page.locator("[data-state=done]")).to_have_count(1)
    await day.listed("conflicts")


async def held(library: Library, place: str) -> dict[str, list[str]]:
    """Return the barcodes of each list of a library, by what circulation has stored."""
    settings = library.system.settings(CirculationSettings)
    client = connect(settings.mongo_url)
    database = client["carrel_circulation"]
    copies = [one async for one in database.copies.find()]
    loans = [one async for one in database.loans.find({"state": "open", "branch_code": place})]
    client.close()
    late = [one for one in loans if one["due_on"] < "2021-02-26"]

    def barcodes(rows: Iterable[Mapping[str, Any]]) -> list[str]:
        return [one["barcode"] for one in rows]

    def here(state: str, **also: Any) -> list[str]:
        return barcodes(
            one
            for one in copies
            if (one["at_branch"], one["state"]) == (place, state)
            and all(one.get(name) == value for name, value in also.items())
        )

    return {
        "to-fetch": here("to-fetch"),
        "to-send": here("in-transit", sent_on=None),
        "arriving": barcodes(one for one in copies if one["bound_for"] == place),
        "on-shelf": here("on-shelf"),
        "overdue": barcodes(one for one in late if not one["claimed_returned_on"]),
        "claimed": barcodes(one for one in loans if one["claimed_returned_on"]),
        "lost": here("lost"),
    }


@EACH_WAY
async def test_a_librarian_s_day(reader: Reader, story: Story, watch: Watch) -> None:
    watch.expected |= {404, 409, 422}
    library, page, say = story.library, reader.page, reader.say
    north, south = [await library.branch("district") for _ in range(2)]
    lin, late = [await library.patron(north) for _ in range(2)]
    wanted, given, found = [(await library.copies(north, 1))[0] for _ in range(3)]
    missing = unique("K")
    copy = {"barcode": missing, "category": "adult", "branch": north, "price_cents": 12_800}
    body = {"title": f"Title {missing}", "authors": [], "kind": "book", "copies": [copy]}
    await library.post("/v1/titles", body, by="staff")
    with at(library, "2021-02-01T10:00:00+08:00"):
        await library.lend(late, [given, found, missing], north)  # due on 15 February
    await library.reserve(lin, wanted, south)
    await library.flow.settle(within=60)
    day = Day(reader)

    # Morning in the north: the till, and what others wait for.
    await page.goto("/desk")
    await reader.log_in(story.librarian)
    await expect(page.locator("#place")).to_be_visible()
    await day.stand(north)
    await expect(page.locator("h1")).to_contain_text(reader.words.day("2021-02-26", weekday=True))
    await day.opens("/desk/till")
    await reader.fill("#float", "500.00")
    await day.presses("Open the till", TEXTS.messages["till-opened"], float_cents=50_000)
    await day.listed("to-fetch", wanted)
    await day.opens("/desk/returns")
    await day.scans(wanted)
    await day.slip("/slips/copies/", wanted)
    await day.listed("to-send", wanted)

    # In the south it arrives, and its reader collects it.
    await day.stand(south)
    await day.listed("arriving", wanted)
    await day.opens("/desk/returns")
    await day.scans(wanted)
    await day.listed("on-shelf", wanted)
    await day.find(lin)
    await expect(page.locator("main")).to_contain_text(say("Ready to be collected"))
    await scan(reader, "#lent", wanted)
    await expect(page.locator("#lines tbody tr")).to_contain_text(wanted)
    day.steps.append(f"scan {wanted}")
    await day.slip("/slips/receipts/", wanted)
    await day.listed("on-shelf")

    # A new reader borrows; a mistake is undone.
    await day.opens("/desk/patrons")
    new = unique("NEW")
    for field, text in (("card_number", new), ("name", "Wong Ka-yan"), ("pin", PIN)):
        await reader.fill(f"#{field}", text)
    await reader.choose("#home_branch", south)
    await day.presses("Register")
    await expect(page.locator("section.done")).to_contain_text(new)
    first, second = [(await library.copies(south, 1))[0] for _ in range(2)]
    await day.opens("/desk/lend")
    await scan(reader, "#card_number", new)
    await day.scans(first)
    await day.presses("Undo")
    await expect(page.locator("#lines tbody tr").first).to_contain_text(say("Undone"))
    await day.scans(first, "NO-SUCH-ITEM")
    await expect(page.locator("#attention")).to_contain_text(
        say("No item of the library has this barcode.")
    )
    await day.find(new)
    await reader.fill("#text", "Likes large print")
    await day.presses("Add the note")
    await expect(page.locator("main")).to_contain_text("Likes large print")
    await reader.fill("#q", second)
    await day.presses("Reserve")
    await expect(page.locator("main input[name=hold]")).to_have_count(1)
    await day.listed("to-fetch", second)
    await day.find(new)
    await reader.work(page.locator("main input[name=hold]"))
    await day.presses("Cancel the chosen")
    await expect(page.locator("main input[name=hold]")).to_have_count(0)
    await day.listed("to-fetch")

    # Afternoon in the north: an overdue item, cash by mistake, a claim and a loss.
    await day.stand(north)
    await day.listed("overdue", given, found, missing)
    await day.opens("/desk/returns")
    await day.scans(given)
    await day.slip("/slips/charges/", reader.words.money(1650))
    await day.find(late)
    await reader.fill("#taken", "20")
    await day.presses("Record the selected as paid in cash")
    await expect(page.locator("#said")).to_contain_text(reader.words.money(350))
    await day.follows("Print the receipt")
    await reader.work(page.locator("main summary"))
    await reader.fill("#reason", "Another reader")
    await day.presses("Cancel the payment", TEXTS.messages["payment-is-cancelled"], paid_cents=1650)
    await expect(page.locator("main dl.facts")).to_contain_text(
        say("Blocked until charges are paid")
    )
    await reader.fill("#part", "16.00")
    await day.presses("Record the selected as paid in cash")
    await day.said()
    await reader.work(page.locator("main summary").first)
    await reader.fill("#waived_because", "Fifty cents")
    await day.presses("Waive the selected")
    await expect(page.locator("main dl.facts")).to_contain_text(say("Can borrow"))
    await reader.work(page.get_by_role("row", name=found).get_by_role("checkbox"))
    await day.presses("Said to be back")
    await day.said()
    await day.listed("claimed", found)
    await day.find(late)
    await reader.work(page.get_by_role("row", name=missing).get_by_role("checkbox"))
    await day.presses("Record as lost")
    await day.said()
    await day.listed("lost", missing)
    await day.listed("overdue")

    # A new title, its copies and labels, and where one of them went.
    await day.opens("/desk/titles")
    await scan(reader, "#isbn", isbn())
    day.steps.append("scan an ISBN")
    await reader.fill("#title_proper", "Lamma by bicycle")
    await day.presses("Save, then add copies")
    await reader.fill("#call_number", "796.6 LAM")
    await reader.fill("#count", "2")
    await reader.fill("#first_barcode", f"{unique('L')}-001")
    await day.presses("Add copies")
    await expect(page.locator("li.label svg")).to_have_count(2)

    # Without a network the desk goes on.
    if reader.way != "no scripts":
        await goes_on_offline(day, library, north)

    # The till is counted, and every list is what circulation holds.
    await day.opens("/desk/till")
    await reader.fill("#counted", "515.00")
    await day.presses("Close the till")
    await reader.fill("#reason", "Wrong change")
    await day.presses("Close the till", TEXTS.messages["till-is-closed"], counted_cents=51_500)
    await expect(page.locator("main")).to_contain_text("Another reader")
    for place in (north, south):
        await day.stand(place)
        for name, barcodes in (await held(library, place)).items():
            await day.listed(name, *barcodes)
    await left(reader)
    assert len(day.steps) >= STEPS, day.steps
