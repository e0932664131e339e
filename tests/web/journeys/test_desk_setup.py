"""Journeys of a librarian who sets the library up: its policies and its calendar."""

from uuid import uuid4

import pytest
from playwright.async_api import expect

from services.gateway.web.libraries import calendar as libraries_calendar
from services.gateway.web.policies import desk as policies_desk
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(policies_desk.router, libraries_calendar.router)


@EACH_WAY
async def test_a_librarian_adds_changes_and_deletes_a_policy(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {409, 422}
    library, page, say = story.library, reader.page, reader.say
    category = "atlas-" + "".join(chr(97 + int(digit, 16)) for digit in uuid4().hex[:8])
    card = await library.patron(CENTRAL)
    lent = {"barcode": category.upper(), "category": category, "branch": CENTRAL}
    title = {"title": "Atlas", "authors": [], "kind": "book", "copies": [lent]}
    await library.post("/v1/titles", title, by="staff")
    await library.lend(card, [category.upper()], CENTRAL)
    await windows.log_in(page, story.librarian)
    await page.goto("/desk/place")

    # The row for everyone applies to an item of a new kind.
    await reader.follow("Policies")
    await reader.choose("#patron_category", "adult")
    await reader.choose("#copy_category", "children")
    await reader.choose("#library", CENTRAL)
    await reader.press("Show")
    await expect(page.locator("#applies")).to_contain_text("$0.50")

    # A row of its own: the preview says what it would have done to the loan of today.
    await reader.follow("Add a policy")
    await reader.fill("#copy_category", category)
    await reader.fill("#loan_days", "0")
    await reader.fill("#reason", "They are wanted much")
    await reader.press("Preview the effect")
    await expect(page.locator("#loan_days-fault")).to_be_visible()
    await reader.fill("#loan_days", "7")
    await reader.press("Preview the effect")
    await expect(page.locator(".effects")).to_contain_text(say("Due earlier"))
    assert await effects(reader) == ["1", "1", "0"]
    await reader.press("Make this change")
    await reader.told("The policy is in force for loans from now on.")

    # Somebody else changes the row meanwhile: the form says so, and goes again.
    await page.goto(f"/desk/policies/{category}")
    other = {"copy_category": category, "loan_days": 7, "max_loans": 3, "reason": "Campaign"}
    await library.call("PUT", f"/v1/policies/{category}", other, by="staff")
    await reader.fill("#max_holds", "2")
    await reader.fill("#reason", "Fewer wait")
    await reader.press("Preview the effect")
    await expect(page.locator("[aria-labelledby=meanwhile]")).to_contain_text("Campaign")
    await reader.press("Preview the effect")
    await reader.press("Make this change")
    await reader.told("The policy is in force for loans from now on.")
    [row] = [one for one in await rows(story) if one["id"] == category]
    assert (row["version"], row["max_holds"], row["max_loans"]) == (3, 2, 10)

    # Its versions say who changed what, and why; it is deleted.
    await page.goto(f"/desk/policies/{category}")
    versions = page.locator("[aria-labelledby=versions] li.version")
    await expect(versions).to_have_count(3)
    await expect(versions.first).to_contain_text("Fewer wait")
    await reader.fill("#why", "The campaign is over")
    await reader.press("Preview the effect of deleting it")
    await reader.press("Make this change")
    await reader.told("The policy no longer applies to new loans.")
    assert category not in [one["id"] for one in await rows(story)]


@EACH_WAY
async def test_a_librarian_sees_a_year_of_a_library(
    reader: Reader, windows: Windows, story: Story
) -> None:
    page = reader.page
    await windows.log_in(page, story.librarian)
    await page.goto("/desk/policies")
    await reader.follow("Calendar")
    await reader.choose("#library", CENTRAL)
    await reader.press("Show")
    await expect(page.locator(".month")).to_have_count(12)
    await expect(page.locator("td.shut")).to_have_count(31 + 18)  # 1 January to 18 February
    await expect(page.locator("td.free")).to_have_count(31 + 28 + 4)  # to 4 March
    await expect(page.locator("td[aria-current]")).to_have_text("26")
    in_words = page.locator(".in-words")
    await expect(in_words).to_contain_text(reader.say("Other hours"))
    reopened, last = (reader.words.day(day) for day in ("2021-02-19", "2021-12-31"))
    await expect(in_words).to_contain_text(f"{reopened} – {last}")
    await reader.follow("2020")
    await expect(page.locator("td.shut")).to_have_count(22)  # 10 to 31 December
    await expect(in_words).to_contain_text("Disease prevention and control")
    await reader.work(page.locator("td.shut a").first)
    await expect(page.locator("h1")).to_contain_text("Disease prevention and control")


async def effects(reader: Reader) -> list[str]:
    """Return the numbers of loans in the preview: under other terms, due earlier, due later."""
    return (await reader.page.locator(".effects td").all_inner_texts())[1:4]


async def rows(story: Story) -> list[dict[str, object]]:
    """Return the policy rows in force."""
    found: list[dict[str, object]] = (await story.library.get("/v1/policies", by="staff"))["items"]
    return found


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
