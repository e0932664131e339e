"""The journey of an administrator, who manages the accounts of staff."""

import pytest
from playwright.async_api import expect

from services.gateway.web.desk import staff
from tests.library import PIN, unique
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(staff.router)
NEW_PIN = "748193"


@EACH_WAY
async def test_an_administrator_manages_an_account_from_the_first_day_to_the_last(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {403, 409}
    library, page = story.library, reader.page
    administrator, card = await story.caller("admin"), unique("HIRED")

    await page.goto("/")
    await reader.log_in(administrator)
    await expect(page.locator("h1")).to_have_text(reader.say("Staff accounts"))
    await reader.fill("#card_number", administrator)
    await reader.fill("#name", "Yeung Sin-yi")
    await reader.fill("#pin", PIN)
    await reader.press("Add the account")
    await expect(page.locator("#said")).to_contain_text(
        reader.say("This card number belongs to another account.")
    )
    await reader.fill("#card_number", card)
    await reader.fill("#pin", PIN)
    await reader.press("Add the account")
    await reader.told("The account is created.")
    await expect(page.locator("h1")).to_have_text("Yeung Sin-yi")
    account = page.url.rpartition("/")[2]
    token = await library._log_in(card)

    await reader.choose("#role", "tracer")
    await reader.press("Change the role")
    await reader.told("The role is changed. The account is logged out everywhere.")
    await expect(page.locator(".facts")).to_contain_text(reader.say("Contact tracer"))
    library.tokens["former"] = token
    assert (await library.try_("GET", "/v1/tracings", by="former"))[0] == 401
    await reader.fill("#pin", NEW_PIN)
    await reader.press("Change the PIN")
    await reader.told("The PIN is changed. The account is logged out everywhere.")
    await reader.press("Disable the account")
    await reader.told("The account is disabled, and logged out everywhere.")
    await left(reader)

    await reader.log_in(card, NEW_PIN)
    await expect(page.locator("#said")).to_contain_text(
        reader.say("This account is disabled. Please ask an administrator of the library.")
    )
    await reader.log_in(administrator)
    await expect(page.locator("h1")).to_have_text(reader.say("Staff accounts"))
    await page.goto(f"/desk/staff/{account}")
    await reader.press("Enable the account")
    await reader.told("The account can log in again.")
    await reader.follow("All staff accounts")
    await left(reader)
    await page.goto("/")
    await reader.log_in(card, NEW_PIN)
    await expect(page.locator("h1")).to_have_text(reader.say("Contact tracing"))
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
