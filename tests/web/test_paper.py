"""Slips, lists, labels and reports of the desk on paper: A4, and a roll of 80 mm."""

import io
import unicodedata
from pathlib import Path

import pytest
from playwright.async_api import Page
from pypdf import PdfReader
from pytest_asyncio import fixture

from services.gateway.web.session import PLACE
from tests.library import unique
from tests.web.browser import Windows, scrolls_sideways
from tests.web.story import Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

MM = 72 / 25.4
"""Points in a millimetre."""
PAPERS = {"A4": (210, 297), "roll": (80, 297)}
"""Width and height of paper in millimetres."""
MARGIN = 6
TITLE = (
    "香港島的電車與渡輪：由維多利亞城到今日的一百二十年 The trams and ferries of Hong Kong Island"
)
DESK_ONLY = ("Card, item, name or title", "借書證、資料、姓名或題名", "Log out", "登出")


@fixture(scope="module", loop_scope="session")
async def papers(story: Story) -> dict[str, tuple[str, list[str]]]:
    """Return the address and some texts of each page for paper, and where its desk stands."""
    library = story.library
    branch, other = await library.branch(), await library.branch("small")
    card, debtor = await library.patron(branch), await library.patron(branch)
    barcodes = [unique("K") for _ in range(6)]
    number = {"number": "388.460 LEE", "scheme": "ddc"}
    record = {"call_number": number, "shelf_location": "Local studies"}
    terms = {"category": "adult", "branch": branch, "price_cents": 12_800, "record": record}
    copies = [{"barcode": one, **terms} for one in barcodes]
    lent, moved, kept, fined, late, fetched = barcodes
    ids = {}
    for copy in copies:
        body = {"title": TITLE, "authors": ["李慧珍"], "kind": "book", "copies": [copy]}
        title = await library.post("/v1/titles", body, by="staff")
        ids[copy["barcode"]] = title["id"]
    await library.flow.settle(within=60)
    with at(library, "2021-02-01T10:00:00+08:00"):
        await library.lend(debtor, [fined, late], branch)
    await library.lend(card, [lent, moved], branch)
    await library.take_back([moved], other)
    await library.reserve(card, kept, branch)
    await library.take_back([kept], branch)
    await library.reserve(debtor, fetched, other)
    till = {"branch": branch, "name": "", "float_cents": 50_000}
    till = await library.post("/v1/tills", till, by="staff")
    await library.take_back([fined], branch)
    [charge] = (await library.get("/v1/me/charges", by=debtor))["items"]
    readers = {one: (await library.get("/v1/me", by=one))["patron"]["id"] for one in (card, debtor)}
    cash = {"charge_ids": [charge["id"]], "amount_cents": 1000, "branch": branch}
    paid = await library.post(f"/v1/patrons/{readers[debtor]}/payments", cash, by="staff")
    return {
        "place": (branch, []),
        "receipt": (f"/desk/slips/receipts/{readers[card]}", [lent, f"Patron {card}"]),
        "transit": (f"/desk/slips/copies/{moved}", [moved, f"Library {branch}"]),
        "hold": (f"/desk/slips/copies/{kept}", [kept, f"Patron {card}"]),
        "charge": (f"/desk/slips/charges/{charge['id']}", ["6.50"]),
        "payment": (f"/desk/payments/{paid['id']}", ["$10.00", paid["id"]]),
        "till": (f"/desk/tills/{till['id']}", ["$500.00", "$510.00"]),
        "fetch": ("/desk/lists/to-fetch?whole=1", [fetched, "388.460 LEE"]),
        "overdue": ("/desk/lists/overdue?whole=1", [late, f"Patron {debtor}"]),
        "labels": (f"/desk/titles/{ids[lent]}/labels", [lent, "388.460"]),
    }


def compact(text: str) -> str:
    """Return a text without spaces and ligatures: a line can end anywhere on paper."""
    return unicodedata.normalize("NFKC", "".join(text.split()))


async def printed(page: Page, paper: str) -> PdfReader:
    """Return a page as the browser prints it."""
    width, height = PAPERS[paper]
    content = await page.pdf(
        width=f"{width}mm", height=f"{height}mm", prefer_css_page_size=True, print_background=False
    )
    return PdfReader(io.BytesIO(content))


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_each_slip_and_list_fits_its_paper(
    windows: Windows,
    story: Story,
    papers: dict[str, tuple[str, list[str]]],
    language: str,
    pictures: Path | None,
) -> None:
    page = await windows.open(language, card=story.librarian)
    url = story.library.system.gateway_url
    await page.context.add_cookies([{"name": PLACE, "value": papers["place"][0], "url": url}])
    await page.emulate_media(media="print")
    for name, (address, texts) in papers.items():
        if name == "place":
            continue
        for paper, (width, height) in PAPERS.items():
            if name == "labels" and paper == "roll":
                continue  # labels are sheets of A4 on any printer
            inside = width if name == "labels" else width - 2 * MARGIN
            await page.set_viewport_size({"width": int(inside * 96 / 25.4), "height": 1000})
            await page.goto(address)
            assert not await scrolls_sideways(page), f"{name} on {paper}"
            document = await printed(page, paper)
            if pictures:
                with (pictures / f"paper-{language}-{name}-{paper}.pdf").open("wb") as file:
                    file.write((document.stream.seek(0), document.stream.read())[1])
            text = compact("".join(sheet.extract_text() for sheet in document.pages))
            for sheet in document.pages:
                size = sheet.mediabox
                found = (round(size.width / MM), round(size.height / MM))
                assert found == (width, height), f"{name} on {paper}"
            assert len(document.pages) == (2 if name == "labels" else 1), f"{name} on {paper}"
            for one in texts:
                assert compact(one) in text, f"{name} on {paper}: {text}"
            for one in DESK_ONLY:
                assert compact(one) not in text, f"{name} on {paper}: {text}"


async def test_a_list_of_several_sheets_and_the_calendar_of_a_year_fit_a4(
    windows: Windows, story: Story, pictures: Path | None
) -> None:
    library = story.library
    branch = await library.branch()
    missing = await library.copies(branch, 45)
    for barcode in missing:
        await library.post(f"/v1/copies/{barcode}/removal", {"fault": "missing"}, by="staff")
    page = await windows.open("en", card=story.librarian)
    url = library.system.gateway_url
    await page.context.add_cookies([{"name": PLACE, "value": branch, "url": url}])
    await page.emulate_media(media="print")
    await page.goto("/desk/lists/lost?whole=1")
    document = await printed(page, "A4")
    sheets = [compact(sheet.extract_text()) for sheet in document.pages]
    assert len(sheets) > 1
    for sheet in sheets:
        assert "Loston" in sheet, "each sheet has the heads of the columns"
    for barcode in missing[1:]:  # the title is named after the first
        assert sum(sheet.count(barcode) for sheet in sheets) == 1, "no row is cut in two"

    await page.goto("/desk/calendar")
    calendar = await printed(page, "A4")
    assert len(calendar.pages) == 1
    text = compact(calendar.pages[0].extract_text())
    for expected in (f"Library {branch}", "January", "December"):
        assert compact(expected) in text, text
    for one in DESK_ONLY:
        assert compact(one) not in text, text
    if pictures:
        for name, shown in (("list", document), ("calendar", calendar)):
            with (pictures / f"paper-en-{name}-A4.pdf").open("wb") as file:
                file.write((shown.stream.seek(0), shown.stream.read())[1])
