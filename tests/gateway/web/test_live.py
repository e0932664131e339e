"""The stream of an open page."""

import re
from collections.abc import Awaitable, Callable

import aiohttp

from shared.contracts import circulation
from tests import samples
from tests.gateway.web.browser import Browser
from tests.support import Api, token

AT = "2021-02-10T10:00:00+08:00"


async def test_a_page_is_sent_only_changes_that_it_does_not_show(
    lone_site: Api, hear: Callable[..., Awaitable[None]]
) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    cookies = {"carrel_session": token()}
    async with Browser(lone_site.url, at=AT) as browser:
        browser.give(*next(iter(cookies.items())))
        page = await browser.get("/")
    [has] = re.findall(r'data-has="([^"]+)"', page.html)
    async with (
        aiohttp.ClientSession(cookies=cookies) as session,
        session.get(
            f"{lone_site.url}/me/stream", params={"has": has}, headers={"Carrel-Time": AT}
        ) as answer,
    ):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        first = [await answer.content.readuntil(b"\n\n") for _ in range(2)]
        assert b"account" not in b"".join(first)
        await hear(samples.loan(circulation.LoanCheckedOut, 1, "loan-2"))
        told = b""
        while b"event: account" not in told:
            told = await answer.content.readuntil(b"\n\n")
    assert b"loan-2" in told


async def test_an_id_that_no_header_can_hold_brings_the_whole_account(lone_site: Api) -> None:
    async with (
        aiohttp.ClientSession(cookies={"carrel_session": token()}) as session,
        session.get(
            f"{lone_site.url}/me/stream", params={"has": "有"}, headers={"Carrel-Time": AT}
        ) as answer,
    ):
        assert answer.status == 200
        first = [await answer.content.readuntil(b"\n\n") for _ in range(2)]
    assert b"event: account" in b"".join(first)


async def test_a_stream_needs_a_session(lone_site: Api) -> None:
    async with Browser(lone_site.url) as browser:
        page = await browser.get("/me/stream")
    assert page.path == "/log-in?next=%2Fme%2Fstream"
