"""What an account shows of the activities that its patron registered for."""

from typing import Any

import orjson
import pytest
from fastapi.routing import APIRoute
from starlette.responses import Response

from services.gateway.web.session import SESSION
from tests.gateway.web.browser import Browser, Page
from tests.support import Api, token

ACTIVITIES: list[dict[str, Any]] = [
    {
        "id": "r-1",
        "activity_id": "a-1",
        "title": "<b>Paper</b> and Ink",
        "type": "workshop",
        "starts_at": "2021-03-20T11:00:00Z",
        "venue": "Exhibition Gallery",
        "state": "confirmed",
        "position": None,
    },
    {
        "id": "r-2",
        "activity_id": "a-2",
        "title": "Factory In and Out",
        "type": "talk",
        "starts_at": "2021-03-21T11:00:00Z",
        "venue": "Hall",
        "state": "waitlisted",
        "position": 3,
    },
    {
        "id": "r-3",
        "activity_id": "a-3",
        "title": None,
        "type": None,
        "starts_at": None,
        "venue": None,
        "state": "waitlisted",
        "position": None,
    },
]


async def shown(site: Api, activities: list[dict[str, Any]], language: str = "en") -> Page:
    """The account page of an overview with these activities."""
    me = {"as_": token(), "at": "2021-02-26T10:00:00+08:00"}
    overview = (await site.get("/v1/me", **me)).json() | {"activities": activities}

    async def answer() -> Response:
        return Response(orjson.dumps(overview), media_type="application/json")

    site.app.router.routes.insert(0, APIRoute("/v1/me", answer))
    async with Browser(site.url, language=language) as browser:
        browser.give(SESSION, token())
        return await browser.get("/")


async def test_an_account_without_any_has_no_section_for_them(lone_site: Api) -> None:
    page = await shown(lone_site, [])
    assert page.status == 200
    assert 'id="activities"' not in page.html


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ("You have a place", "Number 3 on the waiting list", "20 March 2021", "Workshop")),
        ("zh-Hant", ("已獲名額", "候補第 3 位", "2021年3月20日 下午7:00", "工作坊")),
        ("zh-Hans", ("已获名额", "候补第 3 位", "2021年3月20日 下午7:00", "工作坊")),
    ],
)
async def test_each_is_shown_with_its_state_and_leads_to_its_page(
    lone_site: Api, language: str, told: tuple[str, ...]
) -> None:
    page = await shown(lone_site, ACTIVITIES, language)
    assert {"/activities/a-1", "/activities/a-2", "/activities/a-3"} <= set(page.links)
    assert "<b>Paper</b> and Ink" in page.text
    for words in told:
        assert words in page.text
