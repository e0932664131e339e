"""The journey of a card that expires: its holder renews it, or the staff do after a move."""

import pytest
from playwright.async_api import expect

from services.gateway.web.account import card as account_card
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(account_card.router)
TERMS = {"valid_months": 12, "warn_days": 30}


@EACH_WAY
async def test_a_card_is_renewed_by_its_holder_and_at_the_desk(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {409}
    library, page, told = story.library, reader.page, reader.told
    await library.call("PUT", "/v1/card-terms/senior", TERMS, by="staff")
    card = await library.patron(CENTRAL, "senior", language=reader.language)
    patron = (await library.get(f"/v1/patrons?card={card}", by="staff"))["items"][0]["id"]
    ends = {"card_expires_on": "2021-02-20"}
    await library.call("PATCH", f"/v1/patrons/{patron}", ends, by="staff")

    # My Account says that the card has expired; it is renewed there.
    await page.goto("/")
    await reader.log_in(card)
    await reader.follow("Renew your card")
    facts = page.locator("main dl.facts")
    await expect(facts).to_contain_text(reader.say("Expired"))
    await reader.press("Renew my card")
    await told("Tell the staff your new address at any library. They renew your card there.")
    await reader.work(page.locator("#address_unchanged"))
    await reader.press("Renew my card")
    await told("Your library card is renewed.")
    await expect(facts).not_to_contain_text(reader.say("Expired"))
    await left(reader)

    # It ends sooner: the staff enter that, and renew it.
    await page.goto("/desk")
    await reader.log_in(story.librarian)
    await reader.follow("Accounts")
    await reader.fill("#card_number", card)
    await reader.press("Find the account")
    await page.locator("#card_expires_on").fill("2021-02-20")
    await reader.press("Save")
    await told("The account is changed.")
    await expect(facts).to_contain_text(reader.say("Expired"))
    await reader.press("Renew the card")
    await told("The card is renewed.")
    await reader.press("Renew the card")
    await told("This card was renewed already.")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
