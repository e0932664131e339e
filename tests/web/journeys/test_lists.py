"""Journey of a patron who saves titles, keeps lists of them and shows one to others."""

import pytest
from playwright.async_api import expect

from services.gateway.web.lists import patron as lists
from tests.library import unique
from tests.support import until
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(lists.router)


@EACH_WAY
async def test_a_patron_keeps_lists_and_opens_one(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    library, page, told = story.library, reader.page, reader.told
    follow = reader.follow
    card = await library.patron(CENTRAL, language=reader.language)
    name = unique("Lighthouse")
    title = {"title": name, "authors": [], "kind": "book", "copies": []}
    title_id = (await library.post("/v1/titles", title, by="staff"))["id"]
    await windows.log_in(page, card)

    async def found() -> bool:
        return bool((await library.get(f"/v1/titles?sort=title&q={name}"))["items"])

    await until(found)  # the index of searches follows the catalogue
    # One tap in the results saves a title for later.
    await page.goto(f"/catalogue?q={name}")
    await reader.work(page.locator("button[formaction='/lists/0/titles']"))
    await told("Saved: %(title)s.", title=name)
    await expect(page.locator("#q")).to_have_value(name)
    await follow("Saved for later")
    await expect(page.locator(".entries h3")).to_have_text(name)

    # A list has a name; a title is put on it where it is read about.
    await page.goto("/lists")
    await reader.fill("#name", "Coast")
    await reader.press("Make the list")
    await told("The list is made.")
    await reader.fill("#name", "The coast")
    await reader.press("Rename")
    await told("The list is renamed.")
    await page.goto(f"/catalogue/{title_id}")
    await reader.press("Save")
    await told("Saved: %(title)s.", title=name)
    await follow("The coast")

    # Others read it by its link, which names nobody.
    await reader.press("Make a link")
    await told("Anyone who has the link can read this list now.")
    link = await page.locator("#link").input_value()
    await page.goto(link)
    await expect(page.locator(".entries h3")).to_have_text(name)
    await expect(page.locator("main")).not_to_contain_text(card)
    await page.goto("/lists/1")
    await reader.press("End the link")
    await told("Nobody else can read this list any more.")
    await reader.work(page.locator("button[formaction='/lists/1/titles/removal']"))
    await told("Taken off the list.")
    await expect(page.locator("main .empty")).to_be_visible()
    await reader.press("Delete the list")
    await told("The list is deleted.")
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
