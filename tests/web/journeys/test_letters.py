"""The journey of a librarian who makes, prints and posts the letters of a library."""

import asyncio

import pytest
from playwright.async_api import expect

from services.gateway.web.messages import letters
from services.gateway.web.site import TEXTS
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import OPENING, Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(letters.router)
HOME = {"lines": ["Flat 12A, Tower 3", "紅磡漆咸道北18號"], "locality": "Hung Hom"}


@EACH_WAY
async def test_a_librarian_prints_and_posts_letters(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {404, 409}
    library, page = story.library, reader.page
    place = await library.branch()
    card = await library.patron(place, language=reader.language)
    [patron] = (await library.get(f"/v1/patrons?card={card}", by="staff"))["items"]
    await library.call(
        "PATCH", f"/v1/patrons/{patron['id']}", {"contact": {"postal_address": HOME}}, by="staff"
    )
    await library.flow.settle()
    barcodes = await library.copies(place, 2)
    with at(library, OPENING):
        await library.lend(card, barcodes, place)
    with at(library, "2020-11-20T10:00:00+08:00"):
        await library.take_back(barcodes[:1], place)
    await library.flow.settle()
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")

    await reader.follow("Letters")
    await page.goto("/desk/letters")
    make = page.locator(f"#make-{place}")
    await reader.work(make)
    await reader.told("The letters are made. Print them below.")
    await expect(make).to_have_count(0)
    show = page.locator(f"button[id^=print-{place}]")
    async with page.expect_download() as begun:
        await reader.work(show)
    file = await begun.value
    content = await asyncio.to_thread((await file.path()).read_bytes)
    assert content.startswith(b"%PDF-")
    assert file.suggested_filename.startswith(f"letters-{place}-")
    await page.reload()
    await expect(show).to_have_text(reader.say("Print again (PDF)"))
    await reader.work(page.locator(f"button[id^=post-{place}]"))
    await reader.told("The letters are marked as posted.")

    # Another letter waits for the next day.
    with at(library, "2020-11-20T10:00:00+08:00"):
        await library.take_back(barcodes[1:], place)
    await library.flow.settle()
    await page.goto("/desk/letters")
    await reader.work(make)
    await reader.told(TEXTS.problems["letters-printed"])


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
