"""Journeys of cards: one that expires and is renewed, and one that a guest gets without a visit."""

from io import BytesIO
from zipfile import ZipFile

import pytest
from playwright.async_api import Route, expect

from services.accounts.patrons.rules import APPLICATION
from services.accounts.pins.rules import derived_code
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.web.account import card as account_card
from services.gateway.web.account import register as account_register
from services.gateway.web.offline import patron as offline_patron
from tests.library import unique
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

AT_DESK = [
    ("POST", "/desk/accounts/{patron_id}/renewal"),
    ("POST", "/desk/accounts/{patron_id}/verification"),
]
"""Routes of the desk's account page that these journeys use."""
ROUTES = [*routes_of(account_card.router, account_register.router, offline_patron.router), *AT_DESK]
NEW_PIN = "31-41-59"
TERMS = {"valid_months": 12, "warn_days": 30}


async def saved(route: Route) -> None:
    """Answer for Google, to whose page the answer of the gateway leads."""
    answer = await route.fetch(max_redirects=0)
    assert answer.status == 303
    assert answer.headers["location"].startswith("https://pay.google.com/gp/v/save/")
    await route.fulfill(body="Saved in the wallet")


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
    face = page.locator("main .library-card")
    await expect(face).to_contain_text(reader.say("Expired"))
    await expect(face.locator("svg")).to_have_count(2)
    for path in (f"/manifest?lang={reader.language}", "/me/copy"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.ok
    await page.goto("/card")
    name, content = await reader.download("Add to Apple Wallet")
    assert name == "card.pkpass"
    assert card in str(ZipFile(BytesIO(content)).read("pass.json"))
    await page.route("**/card/google", saved)
    await reader.follow("Add to Google Wallet")
    await page.get_by_text("Saved in the wallet").wait_for()
    await page.goto("/card")
    await reader.press("Renew my card")
    await told("Tell the staff your new address at any library. They renew your card there.")
    await reader.work(page.locator("#address_unchanged"))
    await reader.press("Renew my card")
    await told("Your library card is renewed.")
    await expect(face).not_to_contain_text(reader.say("Expired"))
    await left(reader)

    # It ends sooner: the staff enter that, and renew it.
    await page.goto("/desk")
    await reader.log_in(story.librarian)
    await reader.follow("Accounts")
    await reader.fill("#card_number", card)
    await reader.press("Find the account")
    facts = page.locator("main dl.facts")
    await reader.fill("#card_expires_on", "2021-02-20")
    await reader.press("Save")
    await told("The account is changed.")
    await expect(facts).to_contain_text(reader.say("Expired"))
    await reader.press("Renew the card")
    await told("The card is renewed.")
    await reader.press("Renew the card")
    await told("This card was renewed already.")


@EACH_WAY
async def test_a_guest_registers_and_shows_a_document_at_the_desk(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {409}
    library, page, told = story.library, reader.page, reader.told
    await library.call("PUT", "/v1/card-terms/provisional", {"valid_months": 1}, by="staff")
    await page.goto("/log-in")
    await reader.follow("Get a library card")
    await reader.fill("#name", "Lee Ka-yan")
    await page.locator("#born_on").fill("1990-05-17")
    await reader.fill("#email", f"{unique('guest')}@example.org")
    await page.locator("#home_branch").select_option(CENTRAL)
    for pin, repeated in ((NEW_PIN, "314159"), (NEW_PIN, NEW_PIN)):
        await reader.fill("#pin", pin)
        await reader.fill("#repeated_pin", repeated)
        await reader.press("Send a code")
        if repeated != pin:
            await told("The two new PINs are different. Nothing was changed.")
    heading = page.get_by_role("heading", level=1)
    await expect(page.locator("#application_code")).to_be_visible()
    key = library.system.settings(AccountsSettings).reset_keys
    code = derived_code(APPLICATION, page.url.rpartition("/")[2], key)
    assert code is not None
    await reader.fill("#application_code", f"{(int(code) + 1) % 10**8:08}")
    await reader.press("Get the card")
    await told("This code is wrong or too old. Check it, or register again.")
    await reader.fill("#application_code", code)
    await reader.press("Get the card")
    await expect(heading).to_have_text(reader.say("Your library card"))
    number = await page.locator("#number").inner_text()
    await reader.follow("Log in")
    await reader.log_in(number, NEW_PIN)
    await expect(heading).to_have_text(reader.say("My Account"))
    await left(reader)

    # The desk compares the document, and gives a full card.
    await page.goto("/desk")
    await reader.log_in(story.librarian)
    await reader.follow("Accounts")
    await reader.fill("#card_number", number)
    await reader.press("Find the account")
    await reader.press("A document was shown: give a full card")
    await told("The reader has a full card now.")
    await expect(page.locator("#category")).to_have_value("adult")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
