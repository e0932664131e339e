"""Journeys through the activities: registration, recordings, publishing and attendance."""

import pytest
from playwright.async_api import expect

from services.gateway.web.activities import desk as activities_desk
from services.gateway.web.activities import patron as activities_patron
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY, NAMELESS
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, RECORDED, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(activities_patron.router, activities_desk.router)

WAITLISTED = (
    "All places are taken. You're number %(position)s on the waiting list. We'll "
    "tell you when you get a place."
)


@EACH_WAY
async def test_a_patron_registers_for_activities_and_finds_a_recording(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    card = await library.patron(CENTRAL, language=reader.language)
    await windows.log_in(page, card)
    await page.goto("/")

    # A place in an activity is taken and given up; a full activity has a waiting list.
    free, full = [await library.activity(1, "2021-03-10T19:00:00+08:00") for _ in range(2)]
    other = await library.patron(CENTRAL)
    await library.post(f"/v1/activities/{full}/registration", by=other)
    await follow("Activities", within=".masthead")
    await reader.work(page.locator(f"a[href='/activities/{free}']"))
    await reader.press("Register for this activity")
    await told("You have a place.")
    await library.flow.settle()
    await follow("My Account")
    await expect(page.locator(NAMELESS)).to_have_count(0)
    await reader.work(page.locator(f"a[href='/activities/{free}']"))
    await reader.press("Withdraw")
    await told("You're no longer registered.")
    await follow("All activities")
    await reader.work(page.locator(f"a[href='/activities/{full}']"))
    await reader.press("Join the waiting list")
    await told(WAITLISTED, position=1)

    # A recording of a past activity.
    await follow("Activities", within=".masthead")
    await reader.work(page.locator("input[name=past]"))
    await reader.press("Show")
    await follow(RECORDED["title"])
    link = page.get_by_role("link", name=say("Watch the recording"))
    await expect(link).to_have_attribute("href", RECORDED["recording"]["url"])


@EACH_WAY
async def test_a_librarian_publishes_an_activity(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")

    # An activity is published with its abstract, and its description is changed.
    await follow("Activities", within=".masthead")
    await follow("Publish an activity")
    await reader.fill("#title", f"Maps of {place}")
    await reader.fill("#venue", "Map room")
    await reader.fill("#starts_on", "2021-03-10")
    await reader.fill("#starts_time", "19:00")
    await reader.fill("#organiser", "The library")
    await reader.fill("#places", "20")
    await reader.work(page.locator("[name=languages][value=yue]"))
    await reader.choose("#audience", "adults")
    await reader.fill("#minimum_age", "70")
    await reader.fill("#maximum_age", "12")
    await reader.fill("#abstract", "Three maps.\nOne <b>walk</b>.")
    await reader.press("Publish")
    await expect(page.locator("#said")).to_contain_text(
        say("The lowest age can't be above the highest.")
    )
    await reader.fill("#minimum_age", "12")
    await reader.fill("#maximum_age", "70")
    await reader.press("Publish")
    await told("The activity is published.")
    await expect(page.get_by_text("One <b>walk</b>.")).to_be_visible()
    ages = say("%(lowest)s to %(highest)s", lowest=12, highest=70)
    await expect(page.get_by_text(ages)).to_be_visible()
    await follow("Change this activity")
    await expect(page.locator("#starts_time")).to_have_value("19:00")
    await reader.fill(f"#title-{reader.language}", f"Title in {reader.language}")
    await reader.fill("#remarks", "Bring a pencil.")
    await reader.press("Save")
    await told("The activity is changed.")
    await expect(page.locator("h1")).to_have_text(f"Title in {reader.language}")
    await expect(page.get_by_text("Bring a pencil.")).to_be_visible()


@EACH_WAY
async def test_a_librarian_records_who_comes_to_an_activity(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {404}
    library, page = story.library, reader.page
    held = await library.activity(2, "2021-02-26T19:00:00+08:00")
    card = await library.patron(CENTRAL)
    await library.post(f"/v1/activities/{held}/registration", by=card)
    await windows.log_in(page, story.librarian)
    await page.goto(f"/activities/{held}")
    await reader.follow("Record attendance")

    # The field stays ready for the next card, whatever became of the last.
    for number, text in (("C0000000", "No library card has this number."), (card, "2021")):
        await reader.fill("#card_number", number)
        await reader.press("Record attendance")
        await reader.told_at("#card_number", text)
    await expect(page.locator(".facts dd")).to_have_text(["1", "1"])
    await reader.press("Withdraw this attendance")
    await expect(page.locator(".facts dd")).to_have_text(["1", "0"])

    # A reader without a registration is registered in one step, which records the attendance too.
    late = await library.patron(CENTRAL)
    await reader.fill("#card_number", late)
    await reader.press("Record attendance")
    await reader.told_at("#card_number", "There is no registration of this card for this activity.")
    await reader.work(page.locator("form:has(input[name=came]) button"))
    await expect(page.locator(".facts dd")).to_have_text(["2", "1"])


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
