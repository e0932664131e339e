"""Texts of the account pages about charges, activities, channels and ended sessions."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response

from services.gateway.app import create_app
from services.gateway.settings import Settings as GatewaySettings
from services.gateway.web import session
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.loans.patron import MOST_SHOWN, renewal_messages
from services.gateway.web.session import SESSION, FlashMessage
from services.gateway.web.site import TEXTS
from services.notices.app import create_app as create_notices
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from shared.contracts import accounts, circulation
from shared.mongo import Database
from tests import samples
from tests.gateway.web.browser import Browser, Page, insist
from tests.gateway.web.conftest import CARD, PIN, SECRETS
from tests.support import Api, reaching, served, token

Hear = Callable[..., Awaitable[None]]


async def shown(site: Api, path: str = "/") -> Page:
    """Return a page of patron-1."""
    async with Browser(site.url, at="2021-02-26T10:00:00+08:00") as browser:
        browser.give(SESSION, token())
        return await insist(lambda: browser.get(path))


@pytest.fixture
async def patron(browser: Browser) -> Browser:
    """A browser in which the patron is logged in."""
    entrance = await insist(lambda: browser.get("/log-in?lang=en"))
    typed = {"card_number": CARD, "pin": PIN}
    page = await insist(lambda: browser.submit(entrance, "/log-in", **typed))
    assert page.path == "/", page.text
    return browser


# ---- money --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_negative_amount_has_its_sign_before_the_currency(language: str) -> None:
    assert LANGUAGES[language].money(-123456) == "-$1,234.56"
    assert LANGUAGES[language].money(600) == "$6.00"


async def test_an_open_charge_names_its_item(lone_site: Api, hear: Hear) -> None:
    await hear(samples.fine(1, title_id="title-1"))
    await hear(samples.title(1, "Jan Eir"))
    await hear(samples.title(2, "Jane Eyre"))
    page = await shown(lone_site)
    assert "Overdue fine Jane Eyre" in page.text
    assert "Pay Overdue fine (Jane Eyre), $4.50" in page.html
    paid = {"amount_cents": 450, "outstanding_cents": 0, "charge_id": "charge-1"}
    await hear(samples.charge(circulation.FinePaid, 2, **paid))
    assert "Jane Eyre" not in (await shown(lone_site)).text


# ---- blocks -------------------------------------------------------------------------------------

UNTIL_PAID = "You can't borrow, renew or reserve until you pay $4.50."
ASK_STAFF = "You can't borrow, renew or reserve. Please ask the staff."


@pytest.mark.parametrize(
    ("blocked_by", "owing", "says"),
    [
        (["money"], True, UNTIL_PAID),
        (["money"], False, ""),  # paid, and accounts has not lifted the block yet
        (["staff"], False, ASK_STAFF),
        (["staff"], True, ASK_STAFF),
        (["money", "staff"], True, ASK_STAFF),
        ([], True, ASK_STAFF),  # an event of an earlier release: a block by staff
    ],
)
async def test_a_blocked_account_says_what_ends_the_block(
    lone_site: Api, hear: Hear, blocked_by: list[str], owing: bool, says: str
) -> None:
    block = {"status": "blocked", "blocked_by": blocked_by}
    await hear(samples.patron(accounts.PatronBlocked, 1, **block))
    if owing:
        await hear(samples.fine(1))
    text = (await shown(lone_site)).text
    assert [one for one in (UNTIL_PAID, ASK_STAFF) if one in text] == [says][: len(says)]


@pytest.mark.parametrize(("owing", "says"), [(True, UNTIL_PAID), (False, ASK_STAFF)])
async def test_a_blocked_account_of_an_earlier_release_says_what_ends_the_block(
    lone_site: Api, views: Database, hear: Hear, owing: bool, says: str
) -> None:
    await hear(samples.patron(accounts.PatronBlocked, 1, status="blocked"))
    if owing:
        await hear(samples.fine(1))
    await views.account_views.update_one({"_id": "patron-1"}, {"$unset": {"patron.blocked_by": ""}})
    assert says in (await shown(lone_site)).text


@pytest.mark.parametrize("blocked", [True, False])
async def test_an_account_says_at_once_what_a_charge_means_for_borrowing(
    lone_site: Api, hear: Hear, blocked: bool
) -> None:
    """accounts follows the charges with its own events, which may come later."""
    before = {"status": "active"} if blocked else {"status": "blocked", "blocked_by": ["money"]}
    await hear(samples.patron(accounts.PatronRegistered, 1, **before))
    standing = {"version": 2, "outstanding_cents": 450, "blocked": blocked}
    await hear(samples.fine(1, standing=standing))
    older = {"version": 1, "outstanding_cents": 0, "blocked": not blocked}
    await hear(samples.fine(1, "charge-2", outstanding_cents=0, standing=older))
    assert (UNTIL_PAID in (await shown(lone_site)).text) == blocked


# ---- activities ---------------------------------------------------------------------------------


async def test_my_info_shows_the_last_day_of_a_current_exhibition(
    lone_site: Api, hear: Hear
) -> None:
    await hear(samples.preferences(1))
    ends: dict[str, Any] = {"ends_at": "2021-03-20T11:00:00Z"}
    await hear(samples.activity("on", starts_at="2021-01-05T02:00:00Z", branch="HKCL", **ends))
    await hear(samples.activity("to-come", starts_at="2021-03-02T02:00:00Z", **ends))
    page = await shown(lone_site, "/info")
    assert "About on until 20 March 2021" in page.text
    assert "5 January 2021" not in page.text
    assert "About to-come 2 March 2021" in page.text
    assert "Online HKCL" in page.text  # the code, while the library's name is not available


# ---- messages after a command -------------------------------------------------------------------


def remembered(messages: list[FlashMessage]) -> tuple[list[FlashMessage], int]:
    """Return the messages that the next page shows, and the size of their cookie."""
    app = FastAPI()
    app.state.settings = GatewaySettings()
    scope = {"type": "http", "scheme": "http", "server": ("127.0.0.1", 80), "path": "/", "app": app}
    response = Response()
    session.show_next(Request({**scope, "headers": []}), response, "secret", messages)
    kept = response.headers["set-cookie"].partition(";")[0]
    back = Request({**scope, "headers": [(b"cookie", kept.encode()), (b"host", b"127.0.0.1")]})
    return session.read_messages(back, "secret"), len(kept)


def test_items_that_are_not_listed_are_not_said_to_be_renewed() -> None:
    refused = {"ok": False, "loan_id": "loan-1", "problem": {"code": "hold-waiting"}}
    *listed, last = renewal_messages([refused] * (MOST_SHOWN + 2), {})
    assert [one.code for one in listed] == [
        "not-renewed",
        *["not-renewed-either"] * (MOST_SHOWN - 1),
    ]
    assert TEXTS.messages[last.code] % last.facts == (
        "2 more items are not listed here. See their due dates below."
    )


def test_a_message_contains_a_long_title_in_full() -> None:
    title = "A very long title " * 20
    found, size = remembered([FlashMessage("renewed", {"title": title})])
    assert (found[0].facts["title"], size < 4_000) == (title, True)


def test_the_last_message_counts_the_messages_that_do_not_fit_into_the_cookie() -> None:
    titles = [secrets.token_urlsafe(300) for _ in range(12)]
    messages = [FlashMessage("renewed", {"title": title}) for title in titles]
    found, size = remembered([*messages, FlashMessage("and-more", {"count": 3})])
    *whole, last = found
    assert size < 4_000
    assert [one.facts["title"] for one in whole] == titles[: len(whole)]
    assert (last.code, last.facts["count"]) == ("and-more", 12 - len(whole) + 3)


# ---- channels and sessions ----------------------------------------------------------------------


@pytest.fixture
async def mailing(whole: None, settings: Settings, accounts: Api) -> AsyncIterator[Browser]:
    """A browser at a library that has a mail server, in which the patron is logged in."""
    told = settings.model_copy(update=SECRETS)
    mail = {"smtp_host": "mail", "mail_from": "a@example.org", "public_url": "https://example.org"}
    notices_settings = NoticesSettings.model_validate({**told.model_dump(), **mail})
    async with (
        served(create_notices, notices_settings) as notices,
        served(
            create_app,
            reaching(told, accounts=accounts.url, notices=notices.url),
            trust_test_keys=False,
        ) as site,
        Browser(site.url) as opened,
    ):
        entrance = await insist(lambda: opened.get("/log-in?lang=en"))
        typed = {"card_number": CARD, "pin": PIN}
        await insist(lambda: opened.submit(entrance, "/log-in", **typed))
        yield opened


async def test_no_channel_is_offered_that_is_not_known_to_be_in_use(patron: Browser) -> None:
    setting = await insist(lambda: patron.get("/setting"))
    assert "Also send messages by" not in setting.text


async def test_a_channel_without_an_address_on_file_cannot_be_chosen_and_says_why(
    mailing: Browser,
) -> None:
    patron = mailing
    setting = await insist(lambda: patron.get("/setting"))
    assert "The library doesn't have your e-mail address." in setting.text
    refused = await insist(lambda: patron.submit(setting, "/setting", channel="email"))
    assert refused.status == 409
    assert "Nothing was saved: the library doesn't have your address for this." in refused.text
    again = await insist(lambda: patron.get("/setting"))
    saved = await insist(lambda: patron.submit(again, "/setting", language="en"))
    assert "Saved." in saved.text


async def test_a_form_of_a_session_that_ended_elsewhere_says_so(patron: Browser) -> None:
    setting = await insist(lambda: patron.get("/setting"))
    await insist(lambda: patron.submit(setting, "/log-out"))
    page = await insist(lambda: patron.submit(setting, "/setting", type="talk"))
    assert page.status == 403
    assert "Your session has ended, so nothing has changed." in page.text
    assert "Back to the start" not in page.text
    assert "/log-in" in page.links
    assert "Chan Mei-ling" not in page.text


async def test_a_script_that_replaces_the_content_replaces_the_header_too(lone_site: Api) -> None:
    page = await shown(lone_site, "/log-in")
    assert 'hx-select-oob="#masthead,#announcer"' in page.html
    assert '<header class="masthead" id="masthead"' in page.html
