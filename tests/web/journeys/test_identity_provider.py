"""The journey of a librarian who logs in at the library's identity provider."""

import pytest
from playwright.async_api import expect

from services.gateway.web.sign_in import provider as sign_in_provider
from tests.identity_provider import IdentityProvider
from tests.library import unique
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(sign_in_provider.router)
LABEL = "City Hall"


async def at_provider(reader: Reader) -> None:
    """Go to the provider by the button of the log-in page, and log in there."""
    await reader.follow(reader.say("Log in with %(name)s", name=LABEL))
    await reader.work(reader.page.get_by_role("button", name="Sign in"))


@EACH_WAY
async def test_a_librarian_is_linked_logs_in_at_the_provider_and_out_again(
    reader: Reader, story: Story, watch: Watch, identity_provider: IdentityProvider
) -> None:
    watch.expected |= {401, 403, 409, 503}
    page, library = reader.page, story.library
    card, administrator = await story.caller("staff"), await story.caller("admin")
    user = unique("lee").lower()
    identity_provider.person = {"sub": f"sub of {user}", "preferred_username": user}

    async with identity_provider.open():
        await page.goto("/log-in?next=/pin-and-codes")
        await at_provider(reader)
        await expect(page.locator("#said")).to_contain_text(
            reader.say(
                "No account of the library is linked with your log-in there. Ask an administrator "
                "of the library to link it, or log in with your card number and PIN."
            )
        )

        # An administrator asks for the link, and another one agrees.
        accounts = await library.get("/v1/staff?limit=200", by="admin")
        [account] = [one["id"] for one in accounts["items"] if one["card_number"] == card.upper()]
        await page.goto(f"/log-in?next=/desk/staff/{account}")
        await reader.log_in(administrator)
        await expect(page.locator("main")).to_contain_text(reader.say("The account is not linked."))
        await reader.fill("#provider_login", user)
        await reader.press("Link the account")
        await reader.told(
            "Nothing has changed yet: another person who manages such accounts has to agree."
        )
        asked = (await library.get("/v1/staff-requests", by="admin"))["items"]
        [request] = [one["id"] for one in asked if one["provider_login"] == user]
        await library.post(f"/v1/staff-requests/{request}/approval", by="admin")
        await reader.press("Log out", within=".masthead")
        await reader.told("You have logged out.")

        await page.goto("/log-in?next=/pin-and-codes")
        await at_provider(reader)
        await expect(page.locator("h1")).to_have_text(reader.say("PIN and codes"))
        await reader.press("Log out", within=".masthead")
        await reader.told("You have logged out.")
        await reader.follow(reader.say("Log out of %(name)s", name=LABEL))
        await page.get_by_text("You have signed out.").wait_for()
        await reader.work(page.get_by_role("link", name="Back"))
        await expect(page.locator("h1")).to_have_text(reader.say("Log in"))

        # The same answer again, and one that the person has cancelled.
        await page.goto("/log-in/provider/callback?error=access_denied")
        await expect(page.locator("#said")).to_contain_text(
            reader.say(
                "This log-in didn't work or took too long. Try again, or log in with your card "
                "number and PIN."
            )
        )
    # The provider is away: its code can't be redeemed, and the card still logs in.
    await reader.log_in(card)
    await expect(page.locator("h1")).to_have_text(reader.say("Where is this desk?"))
    await reader.press("Log out", within=".masthead")
    await reader.told("You have logged out.")
    await expect(page.locator("h1")).to_have_text(reader.say("Log in"))


@EACH_WAY
async def test_an_administrator_links_a_librarian_by_the_address_and_ends_the_link(
    reader: Reader, story: Story
) -> None:
    page, library = reader.page, story.library
    administrator, card = await story.caller("admin"), unique("LINKED")
    body = {"card_number": card, "name": "Lee", "role": "staff", "email": f"{card}@example.org"}
    account = (await library.post("/v1/staff", body, by="admin"))["id"]
    await page.goto(f"/log-in?next=/desk/staff/{account}")
    await reader.log_in(administrator)
    await expect(page.locator("#provider_login")).to_have_value(f"{card}@example.org")
    await reader.press("Link the account")
    await reader.told("The account is linked, and logged out everywhere.")
    await expect(page.locator("main")).to_contain_text(f"{card}@example.org".lower())
    await reader.press("End the link")
    await reader.told("The account is not linked any more, and logged out everywhere.")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
