"""Journeys through the study rooms: seasons with a draw, and sessions to book."""

import pytest
from playwright.async_api import expect

from services.gateway.web.study_rooms import desk as study_rooms_desk
from services.gateway.web.study_rooms import patron as study_rooms_patron
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(study_rooms_patron.router, study_rooms_desk.router)

APPLIED = "Your application is recorded. We'll tell you the result of the draw."


@EACH_WAY
async def test_a_patron_applies_for_a_study_room_and_books_a_session(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    drawn_at = await library.branch()
    card = await library.patron(drawn_at, language=reader.language)
    await windows.log_in(page, card)
    await page.goto("/")

    # A study room is applied for, withdrawn, and applied for again; the list has only numbers.
    season = await library.season(drawn_at)
    its_page = page.locator(f"a[href='/study-rooms/{season}']")
    await follow("Study rooms", within=".masthead")
    await reader.work(its_page)
    await reader.choose("#branch", drawn_at)
    await reader.press("Apply")
    await told(APPLIED)
    await reader.press("Withdraw the application")
    await told("Your application has ended.")
    await reader.press("Apply")
    await told(APPLIED)
    with at(library, "2021-02-27T10:00:00+08:00"):
        await library.post(f"/v1/study-seasons/{season}/closing", by="staff")
    await follow("All seasons of the study rooms")
    await reader.work(its_page)
    await follow("See the list of applications")
    await expect(page.get_by_text(say("Yours"), exact=True)).to_be_visible()
    with at(library, "2021-02-27T10:00:00+08:00"):
        await library.post(f"/v1/study-seasons/{season}/draw", by="staff")
    await reader.work(page.locator(".back a"))
    await follow("Show the card")
    await expect(page.locator(".admission-card svg")).to_be_visible()

    # A session of a study room is booked and cancelled; one that is full can't be booked.
    place = await library.branch()
    room = {
        "places": 1,
        "sessions": [{"opens": "10:00", "closes": "13:00"}, {"opens": "14:00", "closes": "18:00"}],
        "days_ahead": 7,
        "most_bookings": 1,
    }
    await library.call("PUT", f"/v1/study-rooms/{place}", room, by="staff")
    await follow("Study rooms", within=".masthead")
    await follow(f"Library {place}")
    await reader.fill("#on", "2021-03-01")
    await reader.press("Show")
    await reader.press(say("Book %(times)s", times="14:00–18:00"))
    await told("Your place is booked.")
    await expect(page.locator(".admission-card svg")).to_be_visible()
    await library.flow.settle()
    await follow("My Account")
    await reader.work(page.locator("a[id^=booking-]"))
    await reader.work(page.locator(".back a"))
    await reader.press(say("Book %(times)s", times="10:00–13:00"))
    await told("You've as many bookings here as you can have at a time.")
    await follow("My Account")
    await reader.work(page.locator("a[id^=booking-]"))
    await reader.press("Cancel the booking")
    await told("Your booking is cancelled.")


@EACH_WAY
async def test_a_librarian_draws_the_places_and_lets_readers_in(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {404, 409, 422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    late, card = [await library.patron(place) for _ in range(2)]
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")

    # A season of the study rooms is announced, papers are keyed in, and the places are drawn.
    await follow("Seasons", within=".masthead")
    for field, text in (
        ("name", f"Examinations at {place}"),
        ("rooms", f"{place} 1 adult"),
        ("sessions", "10:00-13:00\n14:00-18:00"),
        ("applications_from", "2021-02-10"),
        ("applications_until", "2021-02-25"),
        ("draw_on", "2021-02-26"),
        ("valid_from", "2021-02-26"),
        ("valid_until", "2021-05-20"),
    ):
        await reader.fill(f"#{field}", text)
    await reader.press("Announce")
    await expect(page.locator("#rooms-fault")).to_be_visible()
    await reader.fill("#rooms", f"{place} 1 adult 1")
    await reader.press("Announce")
    await told("The season is announced.")
    for number, of in enumerate((card, late)):
        await reader.fill("#card_number", of)
        await reader.fill("#paper_number", f"A-{number}")
        await reader.fill("#received_on", "2021-02-27")
        await reader.choose("#branch", place)
        await reader.press("Record the application")
        await told("This day is in the future. Enter today or an earlier day.")
        await reader.fill("#received_on", "2021-02-24")
        await reader.press("Record the application")
        await told("The application is recorded.")
    await reader.press("Close and publish the list")
    await told("The list is closed and published.")
    await reader.press("Draw the places")
    await told("The places are drawn. Every applicant is told the result.")
    standby = say("Standby: number %(number)s", number=1)
    await expect(page.get_by_role("cell", name=standby)).to_be_visible()
    season = f"/v1/study-seasons/{page.url.rpartition('/')[2]}"
    cards = [await library.get(f"{season}/application", by=of) for of in (card, late)]
    await follow("Let readers in")
    await reader.fill("#code", "0" * 16)
    await reader.press("Let in")
    await reader.told_at("#code", "No admission card of this season has this code.")
    await reader.fill("#code", next(one["code"] for one in cards if one["state"] == "granted"))
    await reader.press("Let in")
    await reader.told_at("#code", "The reader may come in.")

    # Sessions of the study room can be booked; a reader who booked one comes in.
    await follow("Seasons", within=".masthead")
    await follow("Sessions to book")
    await reader.choose("#branch", place)
    await reader.fill("#places", "2")
    await reader.fill("#sessions", "09:00-13:00\n12:00-18:00")
    await reader.press("Save")
    await told("Sessions are in order and don't overlap.")
    await reader.fill("#sessions", "10:00-13:00\n14:00-18:00")
    await reader.press("Save")
    await told("The rules of the study room are saved.")
    elsewhere = await library.branch()
    rules = {"places": 1, "days_ahead": 1, "most_bookings": 1}
    sessions = [{"opens": "10:00", "closes": "13:00"}]
    await library.call(
        "PUT", f"/v1/study-rooms/{elsewhere}", {**rules, "sessions": sessions}, by="staff"
    )
    session = {"day": "2021-02-26", "session": 1}
    booked = await library.post(f"/v1/study-rooms/{elsewhere}/bookings", session, by=card)
    await follow("Seasons", within=".masthead")
    await follow("Sessions to book")
    let_in = say("Let readers in: %(library)s", library=f"Library {elsewhere}")
    await follow(let_in)
    await reader.fill("#code", "0" * 16)
    await reader.press("Let in")
    await reader.told_at("#code", "There is no such booking. It may have ended.")
    await reader.fill("#code", booked["code"])
    await reader.press("Let in")
    await reader.told_at("#code", "The reader may come in.")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
