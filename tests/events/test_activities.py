"""The programme: publishing activities and finding them."""

import asyncio
from typing import Any

import pytest

from tests.events.programme import ANNOUNCED, STAFF, TALK, events, published
from tests.support import Api, token


async def test_an_activity_is_published_with_its_event(api: Api) -> None:
    talk = await published(api)
    assert talk["starts_at"] == "2020-11-20T11:00:00Z"
    assert talk["recording"] == {"available_from": "2020-11-20T11:00:00Z", "released": False}
    (told,) = await events(api, "activity.published")
    assert told["activity_id"] == talk["id"]
    assert told["speaker"] == "Prof. LUI Tai-lok"
    assert told["recording_from"] == "2020-11-20T11:00:00Z"
    assert told["version"] == talk["version"] == 1


async def test_activities_are_read_without_a_token(api: Api) -> None:
    talk = await published(api)
    one = await api.get(f"/v1/activities/{talk['id']}", at=ANNOUNCED)
    assert one.json() == talk
    listed = await api.get("/v1/activities", at=ANNOUNCED)
    assert listed.json() == {"items": [talk], "next": None}


@pytest.mark.parametrize(
    ("as_", "status"),
    [(None, 401), ("not.a.token", 401), (token("p", ["patron"]), 403), (token("o", ["ops"]), 403)],
    ids=["nobody", "nonsense", "a patron", "an operator"],
)
async def test_only_staff_may_publish_an_activity(api: Api, as_: str | None, status: int) -> None:
    assert (await api.post("/v1/activities", TALK, as_=as_)).status == status
    assert (await api.get("/v1/activities")).json()["items"] == []


SEVEN = "2020-11-20T19:00:00+08:00"


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"recording": {"available_from": "2020-11-20T19:00:00+08:00", "url": "ftp://x", "by": 1}},
        {"recording": {"available_from": "2020-11-20T19:00:00+08:00", "url": "secret-place"}},
        {"recording": {"available_from": SEVEN, "url": "https://a.example/\x07x"}},
        {"recording": {"available_from": SEVEN, "url": "https://a.example/\u202egpj.exe"}},
        {"recording": {"available_from": SEVEN, "url": "https://a.example\\@b.example"}},
        {"recording": {"available_from": SEVEN, "url": "https:///x"}},
        {"type": "Talk"},
        {"starts_at": "2020-11-20T19:00:00"},
        {"starts_at": "0001-01-01T00:00:00+08:00"},
        {"title": " "},
        {"title": "x" * 301},
        {"title": "\ud800"},
        {"ends_at": "2020-11-20T19:00:00+08:00"},
    ],
    ids=[
        "an unknown field",
        "an unknown field within",
        "an address that is none",
        "an address with a control character",
        "an address that is shown backwards",
        "an address with a backslash",
        "an address without a host",
        "a type in capitals",
        "a time without offset",
        "a time before UTC's first",
        "no title",
        "an endless title",
        "half a character",
        "an end at the start",
    ],
)
async def test_a_malformed_activity_is_refused_without_repeating_its_text(
    api: Api, change: dict[str, Any]
) -> None:
    answer = await api.post("/v1/activities", {**TALK, **change}, as_=STAFF)
    assert answer.status == 422
    assert b"secret-place" not in answer.body
    assert (await api.get("/v1/activities")).json()["items"] == []


async def test_a_repeated_request_publishes_one_activity(api: Api, replica: Api) -> None:
    answers = await asyncio.gather(
        *(door.post("/v1/activities", TALK, as_=STAFF, key="k") for door in [api, replica] * 5)
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await events(api, "activity.published")) == 1


async def test_activities_are_listed_by_start_in_pages_without_gaps_or_duplicates(api: Api) -> None:
    # Three of them start at the same time, so that pages break between equals.
    days = [3, 1, 2, 2, 2, 5, 4]
    made = [
        await published(api, title=str(place), starts_at=f"2021-03-0{day}T10:00:00+08:00")
        for place, day in enumerate(days)
    ]
    expected = sorted(made, key=lambda one: (one["starts_at"], one["id"]))
    seen: list[dict[str, Any]] = []
    after = ""
    while True:
        answer = await api.get(f"/v1/activities?limit=2{after}", at=ANNOUNCED)
        page = answer.json()
        seen += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == expected


async def test_activities_are_found_by_type_branch_and_first_day(api: Api) -> None:
    await published(api, title="talk", branch="KPL")
    await published(api, title="show", type="exhibition", branch="KPL")
    # Half past midnight in Hong Kong is still the day before in UTC.
    await published(api, title="late", starts_at="2020-11-21T00:30:00+08:00")

    async def titles(query: str) -> list[str]:
        answer = await api.get(f"/v1/activities?{query}")
        return sorted(item["title"] for item in answer.json()["items"])

    assert await titles("type=exhibition") == ["show"]
    assert await titles("branch=KPL") == ["show", "talk"]
    assert await titles("type=talk&branch=KPL") == ["talk"]
    assert await titles("from=2020-11-21") == ["late"]
    assert await titles("from=2020-11-22") == []


async def test_an_activity_that_began_earlier_is_listed_until_it_ends(api: Api) -> None:
    for title, ends_at in (
        ("over", "2020-11-24T23:30:00+08:00"),
        ("on", "2020-11-25T19:00:00+08:00"),
    ):
        await published(api, title=title, starts_at="2020-11-10T09:00:00+08:00", ends_at=ends_at)
    await published(api, title="to come", starts_at="2020-11-28T09:00:00+08:00")
    first = (await api.get("/v1/activities?from=2020-11-25&limit=1", at=ANNOUNCED)).json()
    path = f"/v1/activities?from=2020-11-25&after={first['next']}"
    then = (await api.get(path, at=ANNOUNCED)).json()
    assert [one["title"] for one in first["items"] + then["items"]] == ["on", "to come"]
    assert then["next"] is None


@pytest.mark.parametrize(
    "query",
    ["after=x", "after=99999999999999999.x", "from=soon", "from=0001-01-01", "limit=0", "type=T"],
)
async def test_a_malformed_query_is_422(api: Api, query: str) -> None:
    assert (await api.get(f"/v1/activities?{query}")).status == 422


async def test_an_unknown_activity_is_not_found(api: Api) -> None:
    for path in ("/v1/activities/none", "/v1/activities/none/recording"):
        answer = await api.get(path)
        assert (answer.status, answer.json()["code"]) == (404, "no-such-activity")


async def test_the_programme_feed_has_coming_and_recent_activities(api: Api) -> None:
    await published(api, title="Old", starts_at="2020-09-30T10:00:00+08:00")
    await published(api, title="Late", starts_at="2020-10-20T10:00:00+08:00")
    await published(api, title="Show", type="exhibition", branch="KPL")

    async def summaries(query: str) -> list[str]:
        answer = await api.get(f"/v1/activities.ics{query}", at=ANNOUNCED)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/calendar")
        lines = answer.body.decode().split("\r\n")
        return [line.removeprefix("SUMMARY:") for line in lines if line.startswith("SUMMARY:")]

    assert await summaries("") == ["Late", "Show"]
    assert await summaries("?type=exhibition") == ["Show"]
    assert await summaries("?branch=KPL&type=talk") == []
    assert (await api.get("/v1/activities.ics?type=T")).status == 422
