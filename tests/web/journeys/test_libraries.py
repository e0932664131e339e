"""Journeys through the pages of the libraries: opening hours, names and hours of services."""

import pytest
from playwright.async_api import expect

from services.gateway.web.libraries import desk as libraries_desk
from services.gateway.web.libraries import patron as libraries_patron
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(libraries_patron.router, libraries_desk.router)


@EACH_WAY
async def test_a_reader_looks_up_opening_hours(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    library, page = story.library, reader.page
    say, follow = reader.say, reader.follow
    card = await library.patron(CENTRAL, language=reader.language)
    await windows.log_in(page, card)
    await page.goto("/")

    await follow("Libraries", within=".masthead")
    await follow("Hong Kong Central Library")
    await expect(page.get_by_text(say("Open now")).first).to_be_visible()
    await expect(page.get_by_text(say("until %(moment)s", moment="19:00"))).to_be_visible()
    await reader.fill("#on", "2021-02-18")
    await reader.press("Show")
    await expect(page.get_by_text(say("It reopens on %(day)s.", day="2021-02-19"))).to_be_visible()


@EACH_WAY
async def test_a_librarian_changes_names_and_hours(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")

    # The library gets a name in the reader's language, and its study room hours of its own.
    await follow("Libraries", within=".masthead")
    await follow(f"Library {place}")
    await follow("Change names, place and hours of services")
    await reader.fill(f"#name-{reader.language}", f"Name {place} in {reader.language}")
    await reader.press("Save the names")
    await told("The names are saved.")
    await expect(page.locator("h1")).to_have_text(f"Name {place} in {reader.language}")
    await reader.choose("#service", "study-room")
    await reader.fill("#hours-5", "09:00-13:00, 14:00-25:00")
    await reader.press("Save the hours")
    await expect(page.locator("#said")).to_contain_text(
        say("Some information is missing or wrong. Please check it.")
    )
    await reader.fill("#hours-5", "09:00-13:00, 14:00-20:00")
    await reader.press("Save the hours")
    await told("The hours are saved.")
    await reader.choose("#service", "study-room")
    await reader.fill("#hours-5", "08:00-22:00")
    await reader.fill("#first_day", "2021-03-01")
    await reader.fill("#until", "2021-05-31")
    await reader.press("Save the hours")
    await told("The hours are saved.")
    await follow("Page of this library")
    study_room = page.locator("section", has=page.locator("#service-study-room")).last
    await expect(study_room).to_contain_text("14:00–20:00")
    await reader.fill("#on", "2021-03-05")
    await reader.press("Show")
    await expect(study_room).to_contain_text(say("before and during examinations"))
    await follow("Change names, place and hours of services")
    await reader.press(say("Remove the period from %(day)s", day="2021-03-01"))
    await told("The hours are removed.")
    for field in ("district", "street"):
        await reader.fill(f"#{field}-{reader.language}", f"{field} of {place}")
    await reader.fill("#latitude", "22.28")
    await reader.fill("#longitude", "east")
    await reader.press("Save the place")
    await expect(page.locator("main .refused").first).to_contain_text(say("Degrees east"))
    await reader.fill("#longitude", "114.19")
    await reader.press("Save the place")
    await told("The place is saved.")
    await follow("Page of this library")
    await expect(page.locator("main")).to_contain_text(f"street of {place}")
    await follow("Libraries nearby")
    await expect(page.locator("#libraries tbody tr").first).to_contain_text(place)
    await page.goto(f"/desk/libraries/{place}")
    await reader.fill("#minutes", "30")
    await reader.press("Save")
    await told("The time until readers are told is saved.")
    await expect(page.locator("#minutes")).to_have_value("30")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
