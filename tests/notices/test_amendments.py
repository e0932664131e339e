"""Published notices that are amended and withdrawn, by the API and in the feeds."""

import asyncio
from typing import Any

import pytest

from tests.notices.library import STAFF, events
from tests.support import Api, token

WORDINGS = {"zh-Hant": {"title": "閉館", "content": "由星期四起。"}}
NOTICE = {"title": "Closed", "content": "From Thursday.", "wordings": WORDINGS}
LATER = {"title": "Closed", "content": "From Friday.", "wordings": {}}
PUBLISHED, AMENDED = "2020-12-01T18:00:00+08:00", "2020-12-02T09:00:00+08:00"


@pytest.fixture
async def notice(api: Api) -> dict[str, Any]:
    answer = await api.post("/v1/notices", NOTICE, as_=STAFF, at=PUBLISHED)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def amend(api: Api, notice_id: str, seen: int, **change: Any) -> tuple[int, Any]:
    body = LATER | {"seen": seen} | change
    answer = await api.call("PUT", f"/v1/notices/{notice_id}", body, as_=STAFF, at=AMENDED)
    return answer.status, answer.json()


async def test_an_amendment_shows_when_it_was_made_and_keeps_the_earlier_texts(
    api: Api, notice: dict[str, Any]
) -> None:
    here = f"/v1/notices/{notice['id']}"
    assert (notice["version"], notice["amended_at"]) == (1, None)
    assert (await api.get(f"{here}/versions")).json() == {"items": []}
    status, amended = await amend(api, notice["id"], 1)
    assert status == 200
    assert amended == (await api.get(here)).json()
    assert (amended["version"], amended["content"]) == (2, "From Friday.")
    assert (amended["amended_at"], amended["date"]) == ("2020-12-02T01:00:00Z", "2020-12-01")
    await amend(api, notice["id"], 2, content="On Sunday.")
    [second, first] = (await api.get(f"{here}/versions")).json()["items"]
    assert (first["version"], first["content"], first["wordings"]) == (
        1,
        "From Thursday.",
        WORDINGS,
    )
    assert (first["since"], first["until"]) == ("2020-12-01T10:00:00Z", "2020-12-02T01:00:00Z")
    assert (second["version"], second["content"]) == (2, "From Friday.")
    told = await events(api, "notice.amended")
    assert [(one["version"], one["content"]) for one in told] == [
        (2, "From Friday."),
        (3, "On Sunday."),
    ]


async def test_the_same_texts_amend_nothing(api: Api, notice: dict[str, Any]) -> None:
    status, same = await amend(api, notice["id"], 1, **NOTICE)
    assert (status, same) == (200, notice)
    assert await events(api, "notice.amended") == []


async def test_a_withdrawn_notice_and_its_earlier_texts_are_gone_everywhere(
    api: Api, notice: dict[str, Any]
) -> None:
    here = f"/v1/notices/{notice['id']}"
    await amend(api, notice["id"], 1)
    feed = await api.get("/v1/notices.atom")
    since = {"If-Modified-Since": feed.headers["Last-Modified"]}
    assert (await api.get("/v1/notices.atom", headers=since)).status == 304
    later = "2020-12-03T09:00:00+08:00"
    assert (await api.delete(f"{here}?seen=1", as_=STAFF, at=later)).status == 409
    assert (await api.delete(f"{here}?seen=2", as_=STAFF, at=later)).status == 204
    for path in (here, f"{here}/versions"):
        assert (await api.get(path)).status == 404
    assert (await api.get("/v1/notices")).json()["items"] == []
    fresh = await api.get("/v1/notices.atom", headers=since)
    assert fresh.status == 200
    assert notice["id"].encode() not in fresh.body
    assert (await amend(api, notice["id"], 3))[0] == 404
    assert (await api.delete(f"{here}?seen=3", as_=STAFF)).status == 404
    [told] = await events(api, "notice.withdrawn")
    assert (told["version"], told["withdrawn"], told["content"]) == (3, True, "")
    async for stored in api.app.state.database.notices.find():
        assert "Thursday" not in str(stored)
    assert await api.app.state.database.earlier_notices.count_documents({}) == 0


async def test_feeds_say_when_a_notice_was_amended(api: Api, notice: dict[str, Any]) -> None:
    assert "date_modified" not in (await api.get("/v1/notices.json")).json()["items"][0]
    await amend(api, notice["id"], 1)
    [entry] = (await api.get("/v1/notices.json")).json()["items"]
    assert entry["date_published"] == "2020-12-01T10:00:00Z"
    assert entry["date_modified"] == "2020-12-02T01:00:00Z"
    feed = (await api.get("/v1/notices.atom")).body
    assert feed.count(b"<updated>2020-12-02T01:00:00+00:00</updated>") == 2


async def test_concurrent_amendments_of_one_version_leave_one(
    api: Api, notice: dict[str, Any]
) -> None:
    tries = [amend(api, notice["id"], 1, content=f"No. {n}") for n in range(10)]
    answers = await asyncio.gather(*tries)
    assert sorted(status for status, _ in answers) == [200] + [409] * 9
    assert {body["code"] for status, body in answers if status == 409} == {"notice-changed"}
    versions = (await api.get(f"/v1/notices/{notice['id']}/versions")).json()["items"]
    assert [one["content"] for one in versions] == ["From Thursday."]


async def test_only_staff_amend_and_withdraw(api: Api, notice: dict[str, Any]) -> None:
    here = f"/v1/notices/{notice['id']}"
    assert (await api.call("PUT", here, LATER | {"seen": 1}, as_=token())).status == 403
    assert (await api.delete(f"{here}?seen=1", as_=token())).status == 403
    assert (await api.get(here)).json() == notice
