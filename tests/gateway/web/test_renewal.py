"""Pages go on working while the tokens of their session are renewed."""

import asyncio

import pytest

from services.accounts.keys.commands import RevokeKeys, revoke_keys
from shared.clock import wall_clock
from shared.unit_of_work import Origin
from tests.gateway.web.browser import Browser, Page, insist
from tests.gateway.web.conftest import log_in
from tests.support import Api, token, until

SHORT = pytest.mark.parametrize("access_token_seconds", [2])
COOKIE = "carrel_session"


def access(browser: Browser) -> str:
    return browser.has(COOKIE).partition("~")[0]


async def setting(browser: Browser) -> Page:
    return await insist(lambda: browser.get("/setting?lang=en"))


async def expired(site: Api, access_token: str) -> None:
    """Wait until the gateway refuses an access token."""

    async def refused() -> bool:
        return (await site.get("/v1/me", as_=access_token)).status == 401

    await until(refused)


@SHORT
async def test_a_visitor_stays_logged_in_when_the_token_has_expired(
    browser: Browser, site: Api
) -> None:
    await log_in(browser)
    seen = {access(browser)}
    for _ in range(3):
        await expired(site, access(browser))
        page = await setting(browser)
        assert (page.status, page.path) == (200, "/setting?lang=en")
        seen.add(access(browser))
    assert len(seen) == 4


@SHORT
async def test_a_form_that_was_loaded_before_a_renewal_is_accepted_after_it(
    browser: Browser, site: Api
) -> None:
    await log_in(browser)
    loaded = await setting(browser)
    await expired(site, access(browser))
    saved = await insist(lambda: browser.submit(loaded, "/setting", type=["talk"]))
    assert (saved.status, saved.path) == (200, "/setting")
    assert ("type", "talk") in saved.form("/setting").fields


@SHORT
async def test_windows_that_renew_at_the_same_time_all_stay_logged_in(
    browser: Browser, site: Api
) -> None:
    await log_in(browser)
    for _ in range(2):
        await expired(site, access(browser))
        pages = await asyncio.gather(*(setting(browser) for _ in range(5)))
        assert {(page.status, page.path) for page in pages} == {(200, "/setting?lang=en")}


@SHORT
async def test_a_page_about_a_problem_keeps_the_renewed_session(
    browser: Browser, site: Api
) -> None:
    await log_in(browser)
    before = access(browser)
    await expired(site, before)

    async def renewed() -> bool:
        assert (await browser.get("/nothing")).status == 404
        return access(browser) != before

    await until(renewed)
    assert (await setting(browser)).path == "/setting?lang=en"


@SHORT
async def test_a_session_that_accounts_has_ended_is_not_renewed(
    browser: Browser, site: Api, accounts: Api
) -> None:
    await log_in(browser)
    await accounts.app.state.database.sessions.delete_many({})
    await expired(site, access(browser))
    assert (await setting(browser)).path.startswith("/log-in?next=")
    assert "~" not in browser.has(COOKIE)


async def test_while_accounts_is_away_an_expired_visitor_is_not_asked_to_log_in(
    lone_site: Api,
) -> None:
    async with Browser(lone_site.url) as browser:
        browser.give(COOKIE, f"{token(session_id='s-1', expires_in=-1)}~s-1.1.x")
        page = await browser.get("/setting")
        assert (page.status, page.path) == (503, "/setting")


async def test_while_accounts_is_away_a_valid_token_is_used_until_it_expires(
    lone_site: Api,
) -> None:
    async with Browser(lone_site.url) as browser:
        due = token(session_id="s-1", issued_in=-7200)
        browser.give(COOKIE, f"{due}~s-1.1.x")
        page = await browser.get("/")
        assert (page.status, page.path) == (200, "/")
        assert access(browser) == due


@pytest.mark.deadlines
async def test_a_visitor_stays_logged_in_when_all_keys_are_revoked(
    browser: Browser, site: Api, accounts: Api
) -> None:
    await log_in(browser)
    before = access(browser)
    settings = accounts.app.state.settings
    origin = Origin(now=wall_clock())
    await accounts.app.state.unit_of_work.run(
        revoke_keys, RevokeKeys(settings.signing_secrets), origin
    )
    await expired(site, before)

    async def renewed() -> bool:
        # The gateway knows by now that the key was revoked; a renewal may be answered too late.
        page = await browser.get("/setting")
        return (page.status, page.path) == (200, "/setting") and access(browser) != before

    await until(renewed)
