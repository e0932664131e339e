"""Lending and returning at the desk: each result names its item, also a refused one."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.gateway.web.session import PLACE, SESSION
from tests.gateway.web.browser import Browser, Page, insist
from tests.gateway.web.test_account_stories import NOVEMBER_2, copy_of
from tests.library import Library


@pytest.fixture
async def desk(library: Library) -> AsyncIterator[Browser]:
    """A librarian's browser."""
    async with Browser(library.system.gateway_url, at=NOVEMBER_2) as browser:
        browser.give(SESSION, library.tokens["staff"])
        yield browser


async def scanned(desk: Browser, path: str, branch: str, **typed: str) -> Page:
    """Send the form of lending or returning at a library."""
    desk.give(PLACE, branch)
    form = await insist(partial(desk.get, f"{path}?lang=en"))
    return await insist(partial(desk.submit, form, path, **typed))


async def test_a_refused_copy_is_named_with_its_reader_and_its_place(
    library: Library, desk: Browser
) -> None:
    library.now = NOVEMBER_2
    branch, other = await library.branch("district"), await library.branch("district")
    waiting, borrower = [await library.patron(branch) for _ in range(2)]
    barcode = await copy_of(library, "Harbour Lights", branch)
    await library.flow.settle(within=60)
    await library.reserve(waiting, barcode, branch)
    page = await scanned(desk, "/desk/returns", branch, barcodes=barcode)
    kept = "To the shelf of reserved items, until 9 November 2020"
    assert f"{kept} For Patron {waiting}" in page.text

    page = await scanned(desk, "/desk/returns", branch, barcodes=barcode)
    assert "Not returned This item is not on loan." in page.text
    assert "Harbour Lights" in page.text
    assert f"{kept} For Patron {waiting}" in page.text
    page = await scanned(desk, "/desk/returns", other, barcodes=barcode)
    assert f"To Library {branch}, for a reader" in page.text

    page = await scanned(desk, "/desk/lend", branch, card_number=borrower)
    page = await insist(partial(desk.submit, page, "/desk/lend", barcodes=f"{barcode} NOSUCHTHING"))
    refused = "Not lent This item is kept for another reader. Scan it as a return"
    assert f"{barcode} Harbour Lights {refused}" in page.text
    assert "NOSUCHTHING – Not lent" in page.text
