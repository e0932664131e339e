"""The scan box of the desk: a card, a barcode, a name or a title leads to its page."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.gateway.web import site
from services.gateway.web.pages import grouped
from services.gateway.web.session import PLACE, SESSION
from services.gateway.web.words import DESK_MENU
from tests.gateway.web.browser import Browser, Page, insist
from tests.gateway.web.test_account_stories import NOVEMBER_2, copy_of
from tests.library import Library


@pytest.fixture
async def desk(library: Library) -> AsyncIterator[Browser]:
    """A librarian's browser, at no library yet."""
    async with Browser(library.system.gateway_url, at=NOVEMBER_2) as browser:
        browser.give(SESSION, library.tokens["staff"])
        yield browser


async def found(desk: Browser, text: str) -> Page:
    """Type a text into the scan box of a page."""
    form = await insist(partial(desk.get, "/desk/accounts?lang=en"))
    return await insist(partial(desk.submit, form, "/desk/find", q=text))


async def test_a_code_leads_to_its_card_or_its_copy(library: Library, desk: Browser) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    card = await library.patron(branch)
    barcode = await copy_of(library, "Harbour Lights", branch)
    await library.flow.settle(within=60)
    assert (await found(desk, card)).path.startswith("/desk/accounts/")

    page = await found(desk, barcode)
    assert page.path == f"/desk/copies/{barcode}"
    assert "Harbour Lights" in page.text
    assert f"Available On its shelf at Library {branch}" in page.text

    await library.lend(card, [barcode], branch)
    page = await found(desk, barcode)
    assert f"On loan to Patron {card}" in page.text


async def test_words_find_readers_and_titles(library: Library, desk: Browser) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    card = await library.patron(branch)
    await copy_of(library, "Kites over Lantau", branch)
    await library.flow.settle(within=60)
    page = await found(desk, "kites lantau")
    assert "Titles Kites over Lantau" in page.text
    assert (await found(desk, f"patron {card}")).path.startswith("/desk/accounts/")
    nothing = await found(desk, "no such thing at all")
    assert "No card, item, reader or title is found" in nothing.text
    assert (await found(desk, "館\ud7ff\x00")).status == 200


async def test_a_copy_is_taken_out_of_lending_and_put_back(library: Library, desk: Browser) -> None:
    library.now = NOVEMBER_2
    branch = await library.branch("district")
    barcode = await copy_of(library, "Paper Boats", branch)
    await library.flow.settle(within=60)
    here = f"/desk/copies/{barcode}"
    page = await insist(partial(desk.get, f"{here}?lang=en"))
    page = await desk.submit(page, f"{here}/removal", fault="damaged")
    assert "The item is no longer lent." in page.text
    assert "Lend it again" not in page.text  # this desk has no library yet
    desk.give(PLACE, branch)
    page = await desk.submit(await desk.get(here), f"{here}/recovery")
    assert f"On its shelf at Library {branch}" in page.text


async def test_a_desk_says_where_it_is_on_each_page(library: Library, desk: Browser) -> None:
    branch, other = await library.branch("district"), await library.branch("district")
    await library.flow.settle(within=60)
    page = await insist(partial(desk.get, "/desk/accounts?lang=en"))
    assert "Choose the library of this desk" in page.text
    form = await insist(partial(desk.get, "/desk/place?back=/desk/accounts&lang=en"))
    page = await desk.submit(form, "/desk/place", place="Atlantis")
    assert (page.status, "No library has this name" in page.text) == (422, True)
    page = await desk.submit(form, "/desk/place", place=f"library {branch}".upper())
    assert page.path == "/desk/accounts"
    assert f"This desk is at Library {branch}." in page.text
    assert f"Library of this desk: Library {branch}" in page.text
    page = await desk.submit(form, "/desk/place", place=other, back="//elsewhere.example/")
    assert page.path == "/desk"  # where the start page leads a librarian


async def test_the_menu_of_a_librarian_has_five_groups_with_every_page(
    library: Library, desk: Browser
) -> None:
    page = await insist(partial(desk.get, "/desk/webhooks?lang=en"))
    assert "Desk Readers Catalogue Messages Set-up Publish a notice" in page.text
    assert "Webhooks" in page.text
    assert 'href="/desk/suspensions"' not in page.html
    menus = [*site.TEXTS.menus["staff"], *site.TEXTS.menus["anyone"]]
    listed = [entry for menu in grouped(menus).values() for entry in menu]
    assert sorted(listed) == sorted(menus)
    named = [path for _, paths in DESK_MENU for path in paths]
    assert sorted(named) == sorted(path for path, _ in menus)
