"""The patron's registered activities in the account."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.gateway.web.session import SESSION
from shared.contracts import events
from tests import samples
from tests.gateway.web.browser import Browser, Page
from tests.support import Api, token

Hear = Callable[..., Awaitable[None]]


async def shown(site: Api, language: str = "en", path: str = "/") -> Page:
    """Return a page as patron-1 sees it."""
    async with Browser(site.url, language=language, at="2021-02-26T10:00:00+08:00") as browser:
        browser.give(SESSION, token())
        return await browser.get(path)


async def test_an_account_without_registrations_has_no_activities_section(lone_site: Api) -> None:
    page = await shown(lone_site)
    assert page.status == 200
    assert 'id="activities"' not in page.html


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ("You have a place", "Number 2 on the waiting list", "20 March 2021", "Workshop")),
        ("zh-Hant", ("已獲名額", "候補第 2 位", "2021年3月20日 下午7:00", "工作坊")),
        ("zh-Hans", ("已获名额", "候补第 2 位", "2021年3月20日 下午7:00", "工作坊")),
    ],
)
async def test_each_registration_shows_its_state_and_links_to_its_activity(
    lone_site: Api, hear: Hear, language: str, told: tuple[str, ...]
) -> None:
    at, title = "2021-03-20T11:00:00Z", "<b>Paper</b> and Ink"
    there: dict[str, Any] = {"type": "workshop", "branch": "HKCL"}
    await hear(samples.activity("a-1", title=title, starts_at=at, **there))
    await hear(samples.activity("a-2", starts_at="2021-03-21T11:00:00Z"))
    waits: dict[str, Any] = {"activity_id": "a-2", "state": "waitlisted"}
    for event in (
        samples.registration(events.RegistrationConfirmed, 1, "r-1", activity_id="a-1"),
        samples.registration(events.RegistrationWaitlisted, 1, "r-2", turn=8, **waits),
        samples.registration(
            events.RegistrationWaitlisted, 1, "r-3", turn=5, patron_id="p", **waits
        ),
        samples.registration(events.RegistrationConfirmed, 1, "r-4", activity_id="not-heard-of"),
    ):
        await hear(event)
    page = await shown(lone_site, language)
    assert {"/activities/a-1", "/activities/a-2", "/activities/not-heard-of"} <= set(page.links)
    assert "<b>Paper</b>" not in page.html
    for words in (*told, "Online HKCL"):  # the code, while the library's name is not available
        assert words in page.text


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ("About talk-1", "Hall", "What news says")),
        ("zh-Hant", ("維港燈飾", "演講廳", "新聞")),
        ("zh-Hans", ("维港灯饰", "Hall", "What news says")),
    ],
)
async def test_activities_and_news_are_shown_in_the_language_of_the_page(
    lone_site: Api, hear: Hear, language: str, told: tuple[str, str, str]
) -> None:
    title, venue, _ = told
    wordings = {
        "zh-Hant": {"title": "維港燈飾", "venue": "演講廳"},
        "zh-Hans": {"title": "维港灯饰"},
    }
    later = "2021-03-20T11:00:00Z"
    await hear(samples.preferences(1))
    await hear(samples.activity("talk-1", venue="Hall", starts_at=later, wordings=wordings))
    await hear(samples.registration(events.RegistrationConfirmed, 1))
    texts = {"zh-Hant": {"title": "消息", "content": "新聞"}}
    await hear(samples.notice("news", branches=(), wordings=texts))
    account = await shown(lone_site, language)
    assert title in account.text
    assert venue in account.text
    info = await shown(lone_site, language, "/info")
    for text in told:
        assert text in info.text
