"""The journey of a librarian who closes a library, reopens it, and suspends fines."""

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect

from services.gateway.web.closures import desk as closures_desk
from services.gateway.web.closures import suspensions as closures_suspensions
from tests.support import until
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY, one_library, scan
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(closures_desk.router, closures_suspensions.router)

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
OPENS = datetime(2021, 3, 15, 10, tzinfo=HONG_KONG)
"""The first opening after the closure."""
CLOSURE_CHANGED = "The closure is changed. Due dates are updated within minutes."


@EACH_WAY
async def test_a_librarian_closes_a_library_and_suspends_fines(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    late, card = [await library.patron(place) for _ in range(2)]
    [overdue] = await library.copies(place, 1)
    barcodes = await library.copies(place, 7)
    await library.flow.settle()
    with at(library, "2021-02-01T10:00:00+08:00"):
        await library.lend(late, [overdue], place)  # due on 15 February
    await library.lend(card, barcodes, place)  # due on 12 March
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")

    # The library closes without an announced end; its talk is cancelled.
    talk = {"title": f"Talk {place}", "type": "talk", "organiser": "The library"}
    when = {"venue": "Hall", "branch": place, "starts_at": "2021-03-13T15:00:00+08:00"}
    await library.post("/v1/activities", talk | when, by="staff")
    reason = f"Rain at {place}"
    await follow("Closures")
    await one_library(reader, place)
    await reader.fill("#from", "2021-03-12")
    await reader.fill("#reason", reason)
    await confirmed(
        reader,
        "The closure is recorded. Due dates are updated within minutes.",
        moved=0,
        before=1650,
        after=1650,
    )
    await library.flow.settle()

    await reader.fill("#why", "The library is closed.")
    await reader.press("Cancel the selected activities")
    await told("Activities that are changed: %(count)s. Registered readers are told.", count=1)
    await expect(page.locator("#cancel-activities")).to_have_count(0)

    # It reopens in part; due dates are spread over five days, as in the preview.
    await reader.fill("#reopened_on", "2021-03-15")
    await reader.fill("#services", "Lending and returning")
    await reader.fill("#measures", "Hand hygiene")
    await reader.fill("#capacity", "20")
    await reader.fill("#opens", "10:00")
    await reader.fill("#closes", "17:00")
    await reader.fill("#stagger_days", "5")
    spread = await confirmed(reader, CLOSURE_CHANGED, moved=7, before=1650, after=1650)
    assert {*spread} <= {reader.words.day(f"2021-03-{day}") for day in range(15, 20)}
    assert len(spread) > 1
    row = page.get_by_role("row", name=f"Library {place}")
    await expect(row).to_contain_text(reader.words.day("2021-03-15"))

    async def due() -> Counter[str]:
        loans = (await library.get("/v1/me", by=card))["loans"]
        return Counter(reader.words.day(loan["due_on"]) for loan in loans)

    async def spread_as_shown() -> bool:
        return await due() == spread

    await until(spread_as_shown, within=60)

    # The closure began earlier than recorded: some overdue days become free.
    await reader.fill("#from", "2021-02-20")
    await confirmed(reader, CLOSURE_CHANGED, moved=0, before=1650, after=600, nth=1)
    await library.flow.settle()
    await follow("Libraries", within=".masthead")
    await follow(f"Library {place}")
    await expect(page.get_by_text(say("Closed now"))).to_be_visible()
    opens = say("Opens again: %(moment)s", moment=reader.words.moment(OPENS, HONG_KONG))
    await expect(page.get_by_text(opens)).to_be_visible()
    await reader.fill("#on", "2021-03-15")
    await reader.press("Show")
    for told_of in ("10:00–17:00", "Lending and returning", "Hand hygiene"):
        await expect(page.locator("#day ~ *", has_text=told_of)).to_be_visible()

    # The closure is withdrawn as an error: due dates are what they were.
    await follow("Closures")
    await follow(reason)
    await reader.work(page.locator("[name=in_error]"))
    await reader.fill("#withdrawal-reason", "It stayed dry")
    moves = await confirmed(reader, CLOSURE_CHANGED, moved=7, before=600, after=1650, nth=2)
    assert moves == {reader.words.day("2021-03-12"): 7}

    async def back() -> bool:
        return await due() == {reader.words.day("2021-03-12"): 7}

    await until(back, within=60)
    await library.flow.settle()

    # Fines are suspended for a time, then for a shorter time, then not at all.
    trial = f"A trial at {place}"
    await follow("Suspensions of fines")
    await one_library(reader, place)
    await reader.fill("#starts_on", "2021-02-20")
    await reader.fill("#reason", trial)
    await confirmed(reader, "The suspension of fines is recorded.", moved=0, before=1650, after=600)
    await follow(trial)
    await reader.fill("#resumes_on", "2021-02-23")
    await confirmed(reader, "The suspension of fines is changed.", moved=0, before=600, after=1200)
    await reader.work(page.locator("[name=in_error]"))
    await reader.fill("#withdrawal-reason", "Too dear")
    await confirmed(
        reader, "The suspension of fines is changed.", moved=0, before=1200, after=1650, nth=1
    )

    # Overdue copies are returned, with the fines that the previews named.
    await follow("Return")
    await reader.fill("#place", place)
    await reader.press("Work here")
    await scan(reader, "#barcodes", overdue)
    back_again = page.get_by_role("row", name=overdue)
    await expect(back_again).to_contain_text(reader.words.money(1650))
    await expect(back_again).to_contain_text(say("Back to its shelf"))


async def confirmed(
    reader: Reader, said: str, *, moved: int, before: int, after: int, nth: int = 0
) -> Counter[str]:
    """Preview a change, check its effect on the library's eight loans, and confirm it.

    Fines are in cents. Returns the number of moved due dates by their new day.
    """
    await reader.press("Preview the effect", nth=nth)
    await expect(reader.page.locator("h1")).to_have_text(reader.say("Preview of the effect"))
    for name, number in {
        "Open loans of these libraries": 8,
        "Loans whose due date moves": moved,
        "Fines that accrue now": reader.words.money(before),
        "Fines that would accrue then": reader.words.money(after),
        "Amount that will not be charged": reader.words.money(before - after),
    }.items():
        row = reader.page.locator(".effects tr", has=reader.page.get_by_text(reader.say(name)))
        await expect(row.locator("td")).to_have_text(str(number))
    moves: Counter[str] = Counter()
    for row in await reader.page.locator("#moves ~ table tbody tr").all():
        to, loans = await row.locator("td").all_inner_texts()
        moves[to] += int(loans)
    assert moves.total() == moved
    await reader.press("Make this change")
    await reader.told(said)
    return moves


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
