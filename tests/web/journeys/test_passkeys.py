"""The journey of somebody who adds a passkey, logs in with it, and removes it."""

from typing import Any

import pytest
from playwright.async_api import Page, expect
from pytest_asyncio import fixture

from services.gateway.web.account import passkeys as account_passkeys
from services.gateway.web.sign_in import passkeys as sign_in_passkeys
from tests.authenticator import passkey_of
from tests.library import PIN
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.reader import Reader
from tests.web.routes import Driven, Way, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(account_passkeys.router, sign_in_passkeys.router)
PHONE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
"""A phone on which the fingerprint is always right."""
OFFERS = """if (!localStorage.offers) {
  PublicKeyCredential.isConditionalMediationAvailable = async () => false;
}"""
"""Without it the phone would log its owner in at each view of the log-in page."""


@fixture(loop_scope="session")
async def reader(windows: Windows, driven: Driven, language: str, way: Way) -> Reader:
    """Return a reader with a window at a host name: no browser has passkeys at 127.0.0.1."""
    page = await windows.open(language, scripts=way != "no scripts", host="localhost")
    driven.over(page.context, way, language)
    return Reader(page, language, way)


async def remove(reader: Reader, pin: str, answer: str) -> None:
    await reader.fill("section.passkey [name=pin]", pin)
    await reader.press("Remove this passkey")
    await reader.told(answer)


@EACH_WAY
async def test_somebody_adds_a_passkey_logs_in_with_it_and_removes_it(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {403}
    page = reader.page
    patron = await story.library.patron(CENTRAL, language=reader.language)
    if reader.way == "no scripts":
        await passkey_of(story.library, patron)  # without scripts a browser makes none
        await page.goto("/log-in?next=/passkeys")
        await expect(page.locator("#log-in-passkey")).to_be_hidden()
        await reader.log_in(patron)
        await expect(page.locator("#no-passkeys")).to_be_visible()
        await expect(page.locator("#add-passkey")).to_be_hidden()
    else:
        await with_a_device(reader, patron, "/setting")
        await left(reader)
        # The last act ends the other sessions, so this librarian is of this journey alone.
        await with_a_device(reader, await story.caller("staff"), "/pin-and-codes")
    await reader.work(page.locator("section.passkey summary"))
    await remove(reader, "000000", "Your PIN is wrong. Nothing was changed.")
    await remove(reader, PIN, "The passkey is removed. Nobody can log in with it any more.")
    await expect(page.get_by_text(reader.say("You have no passkeys."))).to_be_visible()


async def with_a_device(reader: Reader, card: str, way_in: str) -> None:
    """Add a passkey of a device, log in with it, and come to the form that removes it."""
    page: Page = reader.page
    devices = await page.context.new_cdp_session(page)
    await devices.send("WebAuthn.enable")
    await page.add_init_script(OFFERS)
    made: dict[str, Any] = await devices.send(
        "WebAuthn.addVirtualAuthenticator", {"options": PHONE}
    )
    device = {"authenticatorId": made["authenticatorId"]}
    await page.goto(f"/log-in?next={way_in}")
    await reader.log_in(card)
    if way_in == "/setting":
        await reader.work(page.locator("#open-passkeys"))
    await reader.follow("See and add passkeys")
    for pin, answer in (("000000", "Your PIN is wrong. Nothing was changed."), (PIN, "")):
        await reader.fill("#pin", pin)
        await reader.press("Add a passkey")
        if answer:
            await expect(page.locator("#passkey-problem")).to_have_text(reader.say(answer))
    await reader.told("Your passkey is added. Log in with it from now on.")
    await expect(page.locator("section.passkey h2")).to_contain_text("Chrome")
    await left(reader)
    if way_in == "/pin-and-codes":  # the browser offers the passkey by itself
        await page.evaluate("localStorage.offers = 'yes'")
    await page.goto("/log-in?next=/passkeys")
    if way_in == "/setting":
        await reader.press("Log in with a passkey")
    await expect(page.locator("section.passkey")).to_have_count(1)
    await expect(page.get_by_text(reader.say("Not used yet."))).to_have_count(0)
    await devices.send("WebAuthn.removeVirtualAuthenticator", device)
    await devices.detach()


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
