"""Journeys through the notices: reading, and drafting, amending and withdrawing at the desk."""

import pytest
from playwright.async_api import expect

from services.gateway.web.notices import desk as notices_desk
from services.gateway.web.notices import patron as notices_patron
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY, one_library
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, NOTICE, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(notices_patron.router, notices_desk.router)


@EACH_WAY
async def test_a_reader_finds_a_notice(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    library, page = story.library, reader.page
    follow = reader.follow
    card = await library.patron(CENTRAL, language=reader.language)
    await windows.log_in(page, card)
    await page.goto("/")

    await follow("Notices", within=".masthead")
    await reader.choose("#branch", CENTRAL)
    await reader.press("Show")
    await follow(NOTICE["title"])
    await expect(page.get_by_role("heading", level=1)).to_have_text(NOTICE["title"])
    await follow("All notices")


@EACH_WAY
async def test_a_librarian_publishes_amends_and_withdraws_notices(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    library, page = story.library, reader.page
    told, follow = reader.told, reader.follow
    place = await library.branch("district")
    await windows.log_in(page, story.librarian)
    reason = f"Rain at {place}"
    closure = {"branches": [place], "from": "2021-03-12", "reason": reason}
    await library.post("/v1/closures", closure, by="staff")
    await page.goto("/desk/closures")
    await follow(reason)

    # A notice is drafted in three languages, put off, and published; a second draft is deleted.
    headings = {"en": "Closed", "zh-Hant": "閉館", "zh-Hans": "闭馆"}
    await reader.press("Draft a notice")
    await told("A notice is drafted. Check it before you publish it.")
    title = f"Closed: Library {place}"
    await expect(page.locator("#title")).to_have_value(title)
    await reader.fill("#content", "We hope to see you soon.")
    await reader.fill("#publish_on", "2021-05-01")
    await reader.fill("#publish_time", "10:00")
    await reader.press("Save")
    await told("The draft is saved. Only staff see it.")
    await expect(page.locator("#publish_time")).to_have_value("10:00")
    await follow("All drafts")
    await follow(title)
    await reader.press("Publish now")
    await told("The notice is published.")
    await expect(page.locator("h1")).to_contain_text(headings[reader.language])

    # The notice is amended; the earlier texts can be read until it is withdrawn.
    await follow("Change this notice")
    for field in ("#content", "#content-zh-Hant", "#content-zh-Hans"):
        await reader.fill(field, "Closed after all.")
    await reader.press("Publish the amendment")
    await told("The notice is amended.")
    await expect(page.locator("article")).to_contain_text("Closed after all.")
    await follow("Read the earlier texts")
    await expect(page.locator("article")).to_have_count(1)
    await expect(page.locator("article")).not_to_contain_text("Closed after all.")
    await reader.work(page.locator(".back a"))
    await follow("Change this notice")
    await reader.press("Withdraw this notice")
    await told("The notice is withdrawn.")
    await follow("Closures")
    await follow(reason)
    await reader.press("Draft a notice")
    await told("A notice is drafted. Check it before you publish it.")
    await reader.press("Delete this draft")
    await told("The draft is deleted.")
    await follow("Closures")
    await follow(reason)

    # A notice is published.
    await follow("Publish a notice")
    await one_library(reader, place)
    await reader.fill("#title", f"News of {place}")
    await reader.fill("#content", "It stayed dry.\n<b>Not</b> wet.")
    await reader.press("Publish")
    await told("The notice is published.")
    article = page.locator("article", has_text=f"News of {place}")
    await expect(article).to_contain_text("<b>Not</b> wet.")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
