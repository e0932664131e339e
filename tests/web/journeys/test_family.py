"""The journey of two patrons who link their cards."""

import pytest
from playwright.async_api import expect

from services.gateway.web.family import patron as family_patron
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, OPENING, Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(family_patron.router)

INVITED = "Your invitation is sent, if there is such a card."


@EACH_WAY
async def test_patrons_link_their_cards(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    """Invite and withdraw; accept, renew, reserve and cancel for another, and end it again."""
    watch.expected |= {409}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    member = await library.patron(CENTRAL)
    [lent] = await library.copies(CENTRAL, 1)
    [late] = await library.copies(CENTRAL, 1)
    with at(library, "2021-02-20T10:00:00+08:00"):
        await library.lend(member, [lent], CENTRAL)
    with at(library, OPENING):
        await library.lend(member, [late], CENTRAL)
    card = await library.patron(CENTRAL, language=reader.language)
    await windows.log_in(page, card)
    await page.goto("/")

    # An invitation is sent and withdrawn.
    await follow("Linked cards", within=".masthead")
    await reader.fill("#card_number", card)
    await reader.press("Send the invitation")
    await told("This is your own card number.")
    await reader.fill("#card_number", member)
    await reader.press("Send the invitation")
    await told(INVITED)
    await reader.press("Withdraw the invitation")
    await told("The invitation has ended.")

    body = {"card_number": card}
    await library.post("/v1/me/family-invitations", body, by=member)
    await library.delivered(card)
    await follow("Linked cards", within=".masthead")
    await reader.press("Link the cards")
    await told("The two cards are linked.")
    await library.flow.settle()
    name = f"Patron {member}"
    await follow(name)
    await expect(page.get_by_role("rowheader", name=f"Title {lent}")).to_be_visible()
    of_lent = page.locator("tr", has_text=f"Title {lent}")
    await reader.work(of_lent.get_by_role("button", name=say("Renew"), exact=True))
    renewed = "Renewed until %(due_on)s. Reference %(reference)s."
    await told(say(renewed, due_on="2021-03-12", reference="").rstrip(" .。"))
    # An overdue item costs the other a fine: the page asks first.
    of_late = page.locator("tr", has_text=f"Title {late}")
    await reader.work(of_late.get_by_role("button", name=say("Renew"), exact=True))
    await expect(page.get_by_text(say("New due date"))).to_be_visible()
    await follow("Back, without renewing")
    await follow("Search the catalogue")
    await reader.fill("#q", "everybody wants")
    await page.keyboard.press("Enter")
    await follow("A book that everybody wants")
    await reader.choose("#patron_id", (await library.get("/v1/me", by=member))["patron"]["id"])
    await reader.choose("#pickup_branch", CENTRAL)
    await reader.press("Reserve")
    await told("Reserved for the other card.")
    await follow("Linked cards", within=".masthead")
    await follow(name)
    await reader.press("Cancel this reservation")
    await told("The reservation was cancelled.")
    await follow("All linked cards")
    await reader.press("End the link of the cards")
    await told("The two cards are no longer linked.")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
