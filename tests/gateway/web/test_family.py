"""The pages of linked cards: invite, accept, decline, look and end."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from shared.auth import Verifier
from tests.gateway.web.browser import Browser, Page, insist
from tests.gateway.web.conftest import CARD, PIN
from tests.support import Api, test_keys, token

MEMBER, MEMBER_NAME = "HK0002", "Wong Tai-man"
SENT = "Your invitation is sent, if there is such a card."


@contextmanager
def trusting(accounts: Api) -> Iterator[Api]:
    """Let accounts accept the tokens of this test run while the block runs."""
    own, accounts.app.state.verifier = accounts.app.state.verifier, Verifier(test_keys)
    try:
        yield accounts
    finally:
        accounts.app.state.verifier = own


async def register(accounts: Api, card: str, name: str, category: str = "adult") -> str:
    body = {
        "card_number": card,
        "pin": PIN,
        "name": name,
        "category": category,
        "home_branch": "HKCL",
        "language": "en",
    }
    with trusting(accounts):
        answer = await accounts.post("/v1/patrons", body, as_=token("staff-1", ["staff"]))
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def log_in(browser: Browser, card: str = CARD) -> None:
    """Log in with the form, also on a slow machine; the pages are then in English."""
    entrance = await browser.get("/log-in")
    page = await insist(lambda: browser.submit(entrance, "/log-in", card_number=card, pin=PIN))
    assert page.path == "/", page.text
    await browser.get("/?lang=en")


async def deliver(accounts: Api) -> None:
    with trusting(accounts):
        path = "/v1/ops/jobs/accounts/invitations"
        answer = await accounts.post(path, as_=token("ops-1", ["ops"]))
    assert answer.status == 200, answer.body


@pytest.fixture
async def member_id(accounts: Api) -> str:
    return await register(accounts, MEMBER, MEMBER_NAME)


@pytest.fixture
async def mei(browser: Browser) -> Browser:
    """The browser of the patron who invites, logged in."""
    await log_in(browser)
    return browser


@pytest.fixture
async def tai(site: Api, member_id: str) -> AsyncIterator[Browser]:
    """The browser of the patron who is invited, logged in."""
    async with Browser(site.url) as opened:
        await log_in(opened, MEMBER)
        yield opened


async def invite(browser: Browser, card: str) -> Page:
    return await browser.submit(await browser.get("/family"), "/family", card_number=card)


def action(page: Page, end: str) -> str:
    """Return the address of the only form that ends like this."""
    [found] = [form.action for form in page.forms if form.action.endswith(end)]
    return found


async def test_an_invitation_says_what_is_shared_and_links_both_cards(
    mei: Browser, tai: Browser, accounts: Api, member_id: str
) -> None:
    assert SENT in (await invite(mei, MEMBER)).text
    await deliver(accounts)
    page = await tai.get("/family")
    assert "Chan Mei-ling" in page.text
    for said in ("sees the name, loans and reservations", "charges, reading history"):
        assert said in page.text
    page = await tai.submit(page, action(page, "/acceptance"))
    assert "The two cards are linked." in page.text

    page = await mei.get("/family")
    assert f"/family/{member_id}" in page.links
    shown = await mei.get(f"/family/{member_id}")
    assert (shown.status, MEMBER_NAME in shown.text) == (200, True)
    assert "Nothing is on loan." in shown.text

    page = await mei.submit(page, f"/family/{member_id}/ending")
    assert "The two cards are no longer linked." in page.text
    assert MEMBER_NAME not in page.text
    assert (await mei.get(f"/family/{member_id}")).status == 404
    assert "Chan Mei-ling" not in (await tai.get("/family")).text.partition("Invite somebody")[0]


async def test_the_page_does_not_tell_whether_a_card_exists(
    mei: Browser, tai: Browser, accounts: Api
) -> None:
    said = [await invite(mei, card) for card in (MEMBER, "NO-SUCH-CARD")]
    await deliver(accounts)
    assert {page.status for page in said} == {200}
    assert all(SENT in page.text for page in said)
    page = await tai.get("/family")
    page = await tai.submit(page, action(page, "/ending"))
    assert "The invitation has ended." in page.text
    page = await mei.get("/family")
    withdrawals = [form.action for form in page.forms if form.action.endswith("/ending")]
    assert len(withdrawals) == 2
    for withdrawal in withdrawals:
        page = await mei.submit(page, withdrawal)
        assert "The invitation has ended." in page.text


async def test_ones_own_card_and_a_malformed_number_are_refused_beside_the_field(
    mei: Browser,
) -> None:
    page = await invite(mei, CARD)
    assert (page.status, "This is your own card number." in page.text) == (409, True)
    assert ("card_number", CARD) in page.form("/family").fields
    page = await invite(mei, "x")
    assert (page.status, "Please check this field." in page.text) == (422, True)


async def test_a_junior_learns_that_a_guardian_has_to_agree(site: Api, accounts: Api) -> None:
    await register(accounts, "HK0003", "Wong Siu-ming", "junior")
    async with Browser(site.url) as opened:
        await log_in(opened, "HK0003")
        page = await opened.get("/family")
    assert "a parent or guardian agrees to this at a library" in page.text
    assert [form for form in page.forms if form.action == "/family"] == []
