"""The link in an e-mail that turns e-mail off, and the channels that My Setting offers."""

from typing import Any

import pytest

from services.accounts.preferences.rules import unsubscribe_token
from shared.auth import Verifier
from tests.gateway.web.browser import Browser
from tests.gateway.web.conftest import CARD, PIN
from tests.keys import DERIVING
from tests.support import Api, test_keys, token


@pytest.fixture
async def patron(accounts: Api, site: Api) -> str:
    """The id of the patron, who has an address and has chosen e-mail."""
    opened = await site.post("/v1/sessions", {"card_number": CARD, "pin": PIN})
    patron_id = str(opened.json()["patron_id"])
    own, accounts.app.state.verifier = accounts.app.state.verifier, Verifier(test_keys)
    contact = {"contact": {"email": "mei@example.org"}}
    staff, mine = token("staff-1", ["staff"]), token(patron_id)
    assert (await accounts.patch(f"/v1/patrons/{patron_id}", contact, as_=staff)).status == 200
    chosen = {"channels": ["email"]}
    assert (await accounts.patch("/v1/me/preferences", chosen, as_=mine)).status == 200
    accounts.app.state.verifier = own
    return patron_id


async def channels(accounts: Api, patron_id: str) -> list[str]:
    found: Any = await accounts.app.state.database.preferences.find_one({"_id": patron_id})
    stored: list[str] = found["channels"]
    return stored


async def test_the_page_of_a_link_asks_first_and_then_turns_email_off(
    browser: Browser, accounts: Api, patron: str
) -> None:
    path = f"/unsubscribe/{unsubscribe_token(patron, DERIVING['unsubscribe_keys'])}"
    page = await browser.get(path)
    assert await channels(accounts, patron) == ["email", "inbox"]
    done = await browser.submit(page, path)
    assert done.status == 200
    assert await channels(accounts, patron) == ["inbox"]


async def test_a_mail_program_turns_email_off_with_one_click(
    accounts: Api, site: Api, patron: str
) -> None:
    path = f"/unsubscribe/{unsubscribe_token(patron, DERIVING['unsubscribe_keys'])}"
    one_click = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(2):
        answer = await site.post(path, data=b"List-Unsubscribe=One-Click", headers=one_click)
        assert answer.status == 200
    assert await channels(accounts, patron) == ["inbox"]


async def test_a_wrong_link_says_so_and_changes_nothing(
    browser: Browser, accounts: Api, patron: str
) -> None:
    page = await browser.get(f"/unsubscribe/{patron}.0")
    refused = await browser.submit(page, f"/unsubscribe/{patron}.0")
    assert refused.status == 404
    assert await channels(accounts, patron) == ["email", "inbox"]


async def test_saving_my_setting_keeps_a_channel_that_is_not_offered_now(
    browser: Browser, accounts: Api, patron: str
) -> None:
    entrance = await browser.get("/log-in")
    await browser.submit(entrance, "/log-in", card_number=CARD, pin=PIN)
    page = await browser.get("/setting")  # no mail server is known: notices do not answer
    assert 'type="checkbox" name="channel"' not in page.html
    saved = await browser.submit(page, "/setting", keep_history="yes")
    assert saved.status == 200
    assert await channels(accounts, patron) == ["email", "inbox"]
