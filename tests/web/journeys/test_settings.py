"""The journey of a patron through My Info, My Setting, the reading history and messages."""

import json

import pytest
from playwright.async_api import expect

from services.accounts.preferences.rules import code_for, unsubscribe_token
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.web.account import info as account_info
from services.gateway.web.account import settings as account_settings
from tests.device import subscribed
from tests.library import PIN
from tests.support import until
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, NOTICE, TALK, Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(account_info.router, account_settings.router)

NEW_PIN = "31-41-59"
WRONG_CODE = (
    "This code is wrong, or can't be used any more. For another code, enter the address again."
)
SUBSCRIBES = """of => {
  const keys = { p256dh: of.p256dh, auth: of.auth };
  PushManager.prototype.subscribe = async () => ({ toJSON: () => ({ ...of, keys }) });
}"""
"""Gives the browser a subscription, for no push service is within reach."""


async def code_for_address(story: Story, card: str) -> str:
    """Wait until the patron is told that a code was sent, and return it."""
    library = story.library

    async def sent() -> str:
        items = (await library.get("/v1/me/inbox", by=card))["items"]
        kinds = {one["kind"]: one["about"] for one in items}
        return str(kinds.get("alert.address-to-confirm", {}).get("alert_id", ""))

    key = library.system.settings(AccountsSettings).reset_keys
    code = code_for(await until(sent), key)
    assert code is not None
    return code


@EACH_WAY
async def test_a_patron_changes_settings_and_reads_messages(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {403, 409, 422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    busy = await story.busy_reader(reader.language)
    await windows.log_in(page, busy.card)
    await page.goto("/")

    # My Info shows the followed branches and types, and the reading history is kept.
    await follow("My Info")
    await expect(page.get_by_role("cell", name=NOTICE["content"])).to_have_count(0)
    await follow("Choose what to follow")
    for section, which in (
        ("messages", "[name=digest]"),
        ("activities", "[value=talk]"),
        ("history", "[name=keep_history]"),
    ):
        await reader.work(page.locator(f"#open-{section}"))
        await reader.work(page.locator(f"main input[type=checkbox]{which}"))
    await reader.work(page.locator("#open-libraries"))
    for typed, answer in (
        ("Nowhere", "No library has this name. Choose one from the list."),
        ("hong kong central library", "Saved."),
    ):
        await reader.fill("#add_branch", typed)
        await reader.work(page.locator("#section-libraries button"))
        await told(answer)
    await expect(page.locator("#open-libraries")).to_contain_text("Hong Kong Central Library")
    await expect(page.locator("main [name=digest]")).to_be_checked()
    await library.flow.settle()
    await library.take_back([busy.returned], CENTRAL)
    with at(library, "2021-02-26T10:20:00+08:00"):  # the return can't be undone any more
        await library.job("circulation/purge-loans")
    await follow("My Info")
    await expect(page.get_by_role("rowheader", name=TALK["title"])).to_be_visible()
    await expect(page.get_by_role("cell", name=NOTICE["content"])).to_be_visible()
    await follow("My Setting")
    if reader.way == "no scripts":  # another browser of the patron has been added
        await library.post("/v1/me/push-subscriptions", subscribed(busy.card), by=busy.card)
        await page.goto("/setting?section=devices")
    else:
        await page.context.grant_permissions(["notifications"])
        await reader.work(page.locator("#open-devices"))
        await expect(page.locator("#this-device")).to_be_attached()  # the page is there
        await page.evaluate(SUBSCRIBES, subscribed(busy.card))
        await reader.press("Notify this device")
        await told("This device shows your messages from now on.")
    await reader.press("Stop messages")
    await told("Stopped. The device shows no more messages.")
    await reader.work(page.locator("#open-contact"))
    for field, typed in {"#email": "busy@example.org", "#contact-pin": PIN}.items():
        await reader.fill(field, typed)
    await reader.press("Save addresses")
    await told("A code was sent to your new e-mail address. Enter it here to use the address.")
    code = await code_for_address(story, busy.card)
    for typed, answer in (
        (f"{(int(code) + 1) % 10**8:08}", WRONG_CODE),
        (code, "Your new e-mail address is confirmed, and used from now on."),
    ):
        await reader.fill("#address_code", typed)
        await reader.press("Confirm the address")
        await told(answer)
    await reader.work(page.locator("#open-pin"))
    for field, typed in {"#pin-until-now": PIN, "#new_pin": NEW_PIN, "#repeated_pin": PIN}.items():
        await reader.fill(field, typed)
    await reader.press("Change PIN")
    await told("The two new PINs are different. Nothing was changed.")
    for field, typed in {
        "#pin-until-now": PIN,
        "#new_pin": NEW_PIN,
        "#repeated_pin": NEW_PIN,
    }.items():
        await reader.fill(field, typed)
    await reader.press("Change PIN")
    await told("Your PIN is changed. Use the new one from now on.")
    # The calendar feed has a link until it is ended.
    await reader.work(page.locator("#open-calendar"))
    await reader.press("Make a link")
    await told("Your calendar has a new link. Copy it into your calendar program.")
    feed = await page.locator("#calendar-address").input_value()
    assert "BEGIN:VEVENT" in await (await page.request.get(feed)).text()
    await reader.press("End the link")
    await told("The link to your calendar has ended.")
    assert (await page.request.get(feed)).status == 404
    await reader.work(page.locator("#open-data"))
    async with page.expect_download() as download:
        await follow("Download your data")
    file = json.loads((await (await download.value).path()).read_text())
    [holder] = file["services"]["accounts"]["cardholders"]
    assert holder["email"] == "busy@example.org"
    await reader.work(page.locator("#open-history"))
    await follow("See the list")
    await expect(page.get_by_role("rowheader", name=busy.returned)).to_be_visible()

    # Notifications are read.
    await library.flow.settle()
    await follow("Messages")
    await expect(page.locator("li.new")).not_to_have_count(0)
    await reader.work(page.locator("#read-all"))
    await expect(page.locator("li.new")).to_have_count(0)
    await expect(page.locator("#read-all")).to_have_count(0)

    # A link in an e-mail leads to a page that turns e-mail off.
    patron = (await library.get("/v1/me", by=busy.card))["patron"]["id"]
    key = library.system.settings(AccountsSettings).unsubscribe_keys
    await page.goto(f"/unsubscribe/{unsubscribe_token(patron, key)}")
    await reader.press("Stop the e-mails")
    ended = say("You get no more e-mails about your account. Your messages are in My Account.")
    await expect(page.get_by_text(ended)).to_be_visible()
    await follow("Change this in My Setting")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
