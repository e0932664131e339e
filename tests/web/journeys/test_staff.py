"""The journeys of staff who manage and protect accounts: an administrator's, and a librarian's."""

from datetime import UTC, datetime

import pyotp
import pytest
from playwright.async_api import expect

from services.gateway.web.sign_in import own_access as sign_in_own_access
from services.gateway.web.staff import desk as staff_desk
from tests.library import PIN, unique
from tests.mail_server import MailServer
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story, staff_code_to

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(staff_desk.router, sign_in_own_access.router)
NEW_PIN = "748193"


@EACH_WAY
async def test_an_administrator_manages_an_account_from_the_first_day_to_the_last(
    reader: Reader, story: Story, watch: Watch, mail: MailServer
) -> None:
    watch.expected |= {403, 409}
    library, page = story.library, reader.page
    administrator, card = await story.caller("admin"), unique("HIRED")
    address = f"{card.lower()}@example.org"

    await page.goto("/")
    await reader.log_in(administrator)
    await expect(page.locator("h1")).to_have_text(reader.say("Staff accounts"))
    await reader.fill("#card_number", administrator)
    await reader.fill("#name", "Yeung Sin-yi")
    await reader.fill("#email", address)
    await reader.press("Add the account")
    await expect(page.locator("#said")).to_contain_text(
        reader.say("This card number belongs to another account.")
    )
    await reader.fill("#card_number", card)
    await reader.press("Add the account")
    await reader.told("The account is created. A code to choose a PIN is on its way by e-mail.")
    await expect(page.locator("h1")).to_have_text("Yeung Sin-yi")
    account = page.url.rpartition("/")[2]
    await reader.press("Link the account")  # at the identity provider, by its e-mail address
    await reader.told("The account is linked, and logged out everywhere.")
    await reader.press("End the link")
    await reader.told("The account is not linked any more, and logged out everywhere.")
    await left(reader)

    await with_code(reader, *await staff_code_to(mail, address))
    await reader.log_in(card, NEW_PIN)
    await expect(page.locator("h1")).to_have_text(reader.say("Where is this desk?"))
    await left(reader)
    token = (await library.call("POST", "/v1/sessions", {"card_number": card, "pin": NEW_PIN}))[
        "access_token"
    ]

    await page.goto("/")
    await reader.log_in(administrator)
    await expect(page.locator("h1")).to_have_text(reader.say("Staff accounts"))
    await page.goto(f"/desk/staff/{account}")
    await reader.choose("#role", "station")
    await reader.press("Change the role")
    await reader.told("The role is changed. The account is logged out everywhere.")
    await expect(page.locator(".facts")).to_contain_text(reader.say("Self-service station"))
    library.tokens["former"] = token
    assert (await library.try_("GET", "/v1/policies", by="former"))[0] == 401
    await reader.press("Send a code for another PIN")
    await reader.told(
        "The PIN is no longer valid, and the account is logged out everywhere. A code to choose "
        "another one is on its way by e-mail."
    )
    await reader.press("Disable the account")
    await reader.told("The account is disabled, and logged out everywhere.")
    await reader.press("Enable the account")
    await reader.told("The account can log in again.")
    await reader.follow("All staff accounts")
    await left(reader)


async def with_code(reader: Reader, path: str, code: str) -> None:
    """Choose a PIN with a code from an e-mail."""
    await reader.page.goto(path)
    await reader.fill("#reset_code", code)
    await reader.fill("#new_pin", NEW_PIN)
    await reader.fill("#repeated_pin", NEW_PIN)
    await reader.press("Save the new PIN")
    await reader.told("Your PIN is changed. Use the new one from now on.")


@EACH_WAY
async def test_two_administrators_make_a_contact_tracer(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {409}
    page, card = reader.page, unique("TRACER")
    one, other = [await story.caller("admin") for _ in range(2)]
    library = story.library
    of_one = f"{card.lower()}@example.org"

    await page.goto("/")
    await reader.log_in(one)
    await expect(page.locator("h1")).to_have_text(reader.say("Staff accounts"))
    kept, withdrawn = f"{card} A", f"{card} B"
    for name in (kept, withdrawn):
        await reader.fill("#card_number", f"{card}{name[-1]}")
        await reader.fill("#name", name)
        await reader.choose("#role", "tracer")
        await reader.fill("#email", of_one)
        await reader.press("Add the account")
        await reader.told(
            "Nothing has changed yet: another person who manages such accounts has to agree."
        )
    await reader.press(reader.say("Withdraw the request of %(name)s", name=withdrawn))
    await reader.told("The request is ended. Nothing was changed.")
    await left(reader)

    await page.goto("/")
    await reader.log_in(other)
    await expect(page.locator("h1")).to_have_text(reader.say("Staff accounts"))
    await expect(page.locator("main")).to_contain_text(of_one)
    await reader.press(reader.say("Agree for %(name)s", name=kept))
    await reader.told("You have agreed, and the change is made.")
    accounts = await library.get("/v1/staff?limit=200", by="admin")
    [made] = [one for one in accounts["items"] if one["card_number"].startswith(card.upper())]
    assert (made["role"], made["has_pin"]) == ("tracer", False)
    await page.goto(f"/desk/staff/{made['id']}")
    await reader.fill("#email", "other@example.org")
    await reader.press("Ask for another address")
    await reader.told(
        "Nothing has changed yet: another person who manages such accounts has to agree."
    )
    await left(reader)


@EACH_WAY
async def test_a_librarian_changes_the_pin_and_stays_logged_in_here_only(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {403, 409}
    page, card, library = reader.page, await story.caller("staff"), story.library
    await page.goto("/")
    await reader.log_in(card)
    await reader.follow("PIN and codes")
    for pin, new, again, refusal in (
        (PIN, NEW_PIN, "748194", "The two new PINs are different. Nothing was changed."),
        ("guess-1", NEW_PIN, NEW_PIN, "Your PIN is wrong. Nothing was changed."),
        (
            PIN,
            "123456",
            "123456",
            "A PIN such as 123456 or 111111 is easy to guess. Please choose another.",
        ),
        (PIN, NEW_PIN, NEW_PIN, "Your PIN is changed. Use the new one from now on."),
    ):
        await reader.fill("#pin", pin)
        await reader.fill("#new_pin", new)
        await reader.fill("#repeated_pin", again)
        await reader.press("Change PIN")
        await expect(page.locator("#said")).to_contain_text(reader.say(refusal))
    assert (await library.try_("GET", "/v1/policies", by=card))[0] == 401
    await page.goto("/desk")
    await expect(page.locator("h1")).to_have_text(reader.say("Where is this desk?"))
    await left(reader)
    await reader.log_in(card, NEW_PIN)
    await reader.follow("PIN and codes")
    await reader.press("Log out on all devices")
    await reader.told("You have logged out on all devices.")


def shown(key: str, steps: int) -> str:
    """Return the code that an app shows now, or some steps of 30 seconds later."""
    return pyotp.TOTP(key).at(datetime.now(UTC), counter_offset=steps)


async def set_up(reader: Reader, card: str) -> tuple[str, list[str]]:
    """Set codes up; return the key and the recovery codes."""
    page = reader.page
    await reader.fill("#card_number", card)
    await reader.fill("#pin", PIN)
    await reader.press("Set up codes")
    await expect(page.get_by_role("img", name=reader.say("The key as a QR code"))).to_be_visible()
    key = (await page.locator("#key").inner_text()).replace(" ", "")
    await reader.fill("#pin", PIN)
    await reader.fill("#factor_code", "000000")
    await reader.press("Use these codes")
    await expect(page.locator("#said")).to_contain_text(
        reader.say("This code is wrong or was used already. Wait for the next one.")
    )
    await reader.fill("#pin", PIN)
    await reader.fill("#factor_code", shown(key, 0))
    await reader.press("Use these codes")
    await reader.told("From now on you log in with your PIN and a code from the app.")
    return key, await page.locator("#said li").all_inner_texts()


async def log_in_with(reader: Reader, card: str, code: str) -> None:
    """Log in with PIN and code."""
    await reader.page.goto("/log-in")
    await reader.log_in(card)
    await expect(reader.page.locator("#said")).to_contain_text(
        reader.say("Please enter your PIN again, with the code from your app or a recovery code.")
    )
    await reader.fill("#pin", PIN)
    await reader.fill("#factor_code", code)
    await reader.press("Log in")


@EACH_WAY
async def test_a_librarian_logs_in_with_codes_from_an_app(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {401}
    page, card = reader.page, await story.caller("staff")
    await page.goto("/")
    await reader.log_in(card)
    await reader.follow("PIN and codes")
    await reader.follow("Set up codes")
    key, recovery = await set_up(reader, card)

    await log_in_with(reader, card, "000000")
    await expect(page.locator("#said")).to_contain_text(
        reader.say("This code is wrong or was used already. Wait for the next one.")
    )
    await log_in_with(reader, card, shown(key, 1))  # each code is accepted once
    await expect(page.locator("h1")).to_have_text(reader.say("Where is this desk?"))
    await left(reader)
    await log_in_with(reader, card, recovery[0])
    await expect(page.locator("h1")).to_have_text(reader.say("Where is this desk?"))

    await reader.follow("PIN and codes")
    await reader.follow("Stop asking for codes")
    await reader.fill("#card_number", card)
    await reader.fill("#pin", PIN)
    await reader.fill("#factor_code", recovery[1])
    await reader.press("Stop asking for codes")
    await reader.told("You log in without a code from now on.")
    await reader.log_in(card)
    await expect(page.locator("h1")).to_have_text(reader.say("Where is this desk?"))
    await left(reader)


@EACH_WAY
async def test_an_administrator_helps_somebody_who_has_lost_the_phone(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {401}
    page, card, administrator = (
        reader.page,
        await story.caller("staff"),
        await story.caller("admin"),
    )
    await page.goto("/second-factor")
    await set_up(reader, card)
    await reader.follow("Log in", within="main")
    await reader.log_in(administrator)
    await expect(page.locator("h1")).to_have_text(reader.say("Staff accounts"))
    accounts = await story.library.get("/v1/staff?limit=200", by="admin")
    [account] = [one["id"] for one in accounts["items"] if one["card_number"] == card.upper()]
    await page.goto(f"/desk/staff/{account}")
    await reader.press("Stop asking for codes")
    await reader.told("The account logs in without a code from an app.")
    await left(reader)
    await page.goto("/")  # the log-in led back to a page of administrators
    await reader.log_in(card)
    await expect(page.locator("h1")).to_have_text(reader.say("Where is this desk?"))
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
