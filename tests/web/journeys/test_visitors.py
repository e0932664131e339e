"""Journeys of visitors: the queue at the door, check-in, counting and contact tracing."""

import pytest
from playwright.async_api import expect

from services.gateway.web.languages import LANGUAGES as LANGUAGES_OF_PAGES
from services.gateway.web.operations import system
from services.gateway.web.staff import audit_trail as staff_audit_trail
from services.gateway.web.visits import desk as visits_desk
from services.gateway.web.visits import patron as visits_patron
from services.gateway.web.visits import tracing as visits_tracing
from services.registry import NAMES
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import LANGUAGES, Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(
    *(visits_patron.router, visits_desk.router, visits_tracing.router),
    *(staff_audit_trail.router, system.router),
)


@EACH_WAY
async def test_a_reader_waits_checks_in_and_leaves(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    card = await library.patron(CENTRAL, language=reader.language)
    await windows.log_in(page, card)
    await page.goto("/")

    # A full library: the reader waits, is called, checks in and leaves.
    code, venue = await story.full_library()
    await page.goto(f"/check-in/{venue}")
    await expect(page.locator("h1")).to_have_text(f"Library {code}")
    await reader.press("Join the queue")
    await told("You're in the queue with number %(number)s.", number=1)
    waiting = say("You're number %(position)s in the queue.", position=1)
    await expect(page.get_by_text(waiting)).to_be_visible()
    await story.count(code, left=1)
    await follow("Look again")
    await expect(
        page.get_by_text(say("It's your turn. Check in within 10 minutes."))
    ).to_be_visible()
    await expect(page.locator("#name")).to_have_value(f"Patron {card}")
    await reader.fill("#phone", "6123 4567")
    await reader.press("Check in")
    await told("Welcome. You're checked in.")
    await follow("Libraries", within=".masthead")
    await follow(f"Library {code}")
    inside = say("%(inside)s of %(capacity)s people inside", inside=1, capacity=1)
    await expect(page.get_by_text(inside)).to_be_visible()
    await expect(page.locator("svg rect")).to_have_count(1)
    await page.goto(f"/check-in/{venue}")
    await reader.press("I'm leaving")
    await told("You're checked out. Goodbye.")


@EACH_WAY
async def test_a_librarian_counts_and_registers_visitors(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")

    # Visitors are counted and registered, and the library gets a code for its doors.
    await follow("Visitors", within=".masthead")
    await reader.choose("#branch", place)
    await reader.press("Show")
    await reader.fill("#count-door", "Main")
    await reader.press("They enter")
    await told("Counted.")
    await expect(page.locator("#register-door")).to_have_value("Main")
    await reader.fill("#name", "Chan Tai-man")
    await reader.fill("#phone", "not a number")
    await reader.press("Register and let in")
    await expect(page.locator("#said")).to_contain_text(say("Telephone"))
    await reader.fill("#phone", "6123 4567")
    await reader.press("Register and let in")
    await told("The visitor is registered and counted.")
    await expect(page.get_by_role("row", name="Main").locator("td").first).to_have_text("2")
    await reader.press("Make a code")
    await told("The library has a new code. Put it at the doors.")
    await follow("Print the poster for the doors")
    await expect(page.locator(".poster svg")).to_be_visible()
    for language in LANGUAGES:
        asks = LANGUAGES_OF_PAGES[language].say("Check in here")
        await expect(page.locator(f".poster p[lang={language}]")).to_contain_text(asks)
    printed = await page.locator(".poster code").inner_text()
    await follow("Visitors", within=".back")
    await reader.press("Make a new code")
    await told("The library has a new code. Put it at the doors.")
    await follow("Print the poster for the doors")
    await expect(page.locator(".poster code")).not_to_have_text(printed)


@EACH_WAY
async def test_a_tracer_looks_for_visitors_and_an_operator_sees_it(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {422}
    library, page = story.library, reader.page
    place = await library.branch()
    body = {"door": "Main", "name": "Ng Ka-yi", "phone": "6123 4567"}
    await library.post(f"/v1/branches/{place}/visits", body, by="staff")
    tracer, operator = [await story.caller(role) for role in ("tracer", "ops")]
    case = f"CASE {place}"

    await page.goto("/")
    await reader.log_in(tracer)
    await expect(page.locator("h1")).to_have_text(reader.say("Contact tracing"))
    await reader.choose("#branch", place)
    await reader.fill("#day", "2021-02-26")
    await reader.fill("#start", "11:00")
    await reader.fill("#until", "09:00")
    await reader.fill("#case_number", case)
    await reader.fill("#reason", "A visitor has fallen ill")
    await reader.press("Show the visitors")
    await expect(page.locator("#said")).to_contain_text(
        reader.say("The end must be after the start.")
    )
    await reader.fill("#start", "08:00")
    await reader.fill("#until", "11:00")
    await reader.press("Show the visitors")
    await expect(page.get_by_role("row", name="Ng Ka-yi")).to_contain_text("6123 4567")
    await left(reader)

    await page.goto("/")
    await reader.log_in(operator)
    await expect(page.locator("h1")).to_have_text(reader.say("The system"))
    for service in NAMES:
        process = page.locator("#processes").get_by_role("row", name=f"{service} 0")
        await expect(process).to_contain_text(reader.say("ready"))
    await expect(page.locator("#backup")).to_have_text(reader.say("No backup was taken"))
    job = "circulation/overdue"
    run = page.get_by_role("button", name=reader.say("Run now: %(job)s", job=job))
    await reader.work(run)
    await expect(page.locator("#said")).to_contain_text(job)
    await reader.follow("Looks at visits")
    await expect(page.locator("h1")).to_have_text(reader.say("Looks at visits"))
    row = page.get_by_role("row", name="A. tracer").filter(has_text=case)
    await expect(row).to_contain_text("A visitor has fallen ill")
    await expect(page.get_by_text("Ng Ka-yi")).to_have_count(0)

    # The audit trail has the librarian's registration of the visitor, and no name.
    await reader.follow("Audit trail")
    await expect(page.locator("h1")).to_have_text(reader.say("Audit trail"))
    await reader.choose("#service", "notices")
    await reader.fill("#about", place)
    await reader.press("Show")
    await expect(page.get_by_text("POST /v1/branches/{code}/visits")).to_have_count(1)
    await expect(page.get_by_text("Ng Ka-yi")).to_have_count(0)
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
