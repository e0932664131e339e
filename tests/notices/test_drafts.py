"""Notices drafted from a closure: in three languages, changed, scheduled, and published once."""

import asyncio
from typing import Any

import pytest

from tests.notices.library import DECEMBER_9, STAFF, events, register
from tests.support import Api, token

DRAFTS = "/v1/notice-drafts"
TEXTS = {"title": "Closed", "content": "From Thursday.", "wordings": {}}


async def closed(api: Api, **other: Any) -> str:
    """Record a closure, and return its id."""
    body = {"branches": ["HKCL", "TPO"], "from": "2020-12-10", "reason": "Epidemic", **other}
    answer = await api.post("/v1/closures", body, as_=STAFF, at=DECEMBER_9)
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def drafted(api: Api, closure_id: str) -> dict[str, Any]:
    answer = await api.post(f"/v1/closures/{closure_id}/notice-draft", as_=STAFF, at=DECEMBER_9)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    assert (await api.get(f"{DRAFTS}/{found['id']}", as_=STAFF)).json() == found
    return found


async def test_a_draft_states_the_facts_of_the_closure_in_three_languages(api: Api) -> None:
    await register(api)
    closure = await closed(api, reopened_on="2021-02-19", relief={"extra_renewals": 2})
    draft = await drafted(api, closure)
    assert (draft["branches"], draft["closure_id"]) == (["HKCL", "TPO"], closure)
    assert draft["title"] == "Closed: Hong Kong Central Library and Tai Po Public Library"
    english = draft["content"].split("\n")
    assert english[0] == (
        "Closed from 10 December 2020, open again from 19 February 2021: Hong Kong Central "
        "Library and Tai Po Public Library."
    )
    assert "Reason: Epidemic" in english
    assert english[-1] == "More renewals of each item while the closure lasts: 2."
    assert set(draft["wordings"]) == {"zh-Hant", "zh-Hans"}
    for texts in draft["wordings"].values():
        assert "2020年12月10日" in texts["content"]
        assert "2021年2月19日" in texts["content"]
        assert len(texts["content"].split("\n")) == len(english)
        assert "library" not in texts["content"].replace("Central Library", "").replace(
            "Public Library", ""
        )


async def test_a_draft_names_each_library_in_the_language_of_its_text(api: Api) -> None:
    await register(api)
    names = {"zh-Hant": "香港中央圖書館", "zh-Hans": "香港中央图书馆"}
    named = {"name": "Hong Kong Central Library", "names": names}
    assert (await api.call("PUT", "/v1/branches/HKCL/names", named, as_=STAFF)).status == 200
    draft = await drafted(api, await closed(api, branches=["HKCL"]))
    assert draft["title"] == "Closed: Hong Kong Central Library"
    for language, name in names.items():
        texts = draft["wordings"][language]
        assert texts["title"].endswith(f"：{name}")
        assert name in texts["content"]
        assert "Central Library" not in str(texts)


async def test_a_closure_without_an_end_lasts_until_further_notice(api: Api) -> None:
    await register(api)
    draft = await drafted(api, await closed(api))
    assert draft["content"].startswith("Closed from 10 December 2020 until further notice: ")
    assert "另行通知" in draft["wordings"]["zh-Hant"]["content"]


async def test_each_reopening_has_its_line_and_a_withdrawn_branch_is_left_out(api: Api) -> None:
    await register(api)
    closure = await closed(api, kinds=["small"])
    for code, day in (("HKCL", "2021-02-19"), ("LFU", "2021-04-03")):
        body = {"branches": [code], "reopened_on": day}
        path = f"/v1/closures/{closure}/reopening"
        assert (await api.post(path, body, as_=STAFF, at=DECEMBER_9)).status == 200
    gone = {"branches": ["TPO"], "in_error": True, "reason": "Open"}
    await api.post(f"/v1/closures/{closure}/withdrawal", gone, as_=STAFF, at=DECEMBER_9)
    draft = await drafted(api, closure)
    assert draft["branches"] == ["HKCL", "LFU"]
    first, second, *_ = draft["content"].split("\n")
    assert "19 February 2021: Hong Kong Central Library." in first
    assert "3 April 2021: Lung Fung Public Library." in second
    assert "Tai Po" not in str(draft)


async def test_nothing_is_drafted_from_an_unknown_or_a_withdrawn_closure(api: Api) -> None:
    await register(api)
    closure = await closed(api)
    gone = {"in_error": True, "reason": "Open"}
    await api.post(f"/v1/closures/{closure}/withdrawal", gone, as_=STAFF, at=DECEMBER_9)
    for one, status in ((closure, 409), ("none", 404)):
        answer = await api.post(f"/v1/closures/{one}/notice-draft", as_=STAFF)
        assert answer.status == status


async def test_only_staff_see_a_draft_until_it_is_published(api: Api) -> None:
    await register(api)
    draft = await drafted(api, await closed(api))
    here = f"{DRAFTS}/{draft['id']}"
    assert (await api.get(here, as_=token())).status == 403
    assert (await api.get(DRAFTS, as_=token())).status == 403
    assert (await api.get(f"/v1/notices/{draft['id']}")).status == 404
    assert (await api.get("/v1/notices")).json()["items"] == []
    assert draft["id"].encode() not in (await api.get("/v1/notices.atom")).body
    assert await events(api, "notice.published") == []

    wordings = {"zh-Hant": {"title": "閉館", "content": "由星期四起。"}}
    changed = TEXTS | {"wordings": wordings, "seen": 1}
    assert (await api.call("PUT", here, changed, as_=STAFF)).json()["version"] == 2
    stale = await api.post(f"{here}/publication", {"seen": 1}, as_=STAFF)
    assert (stale.status, stale.json()["code"]) == (409, "draft-changed")
    answer = await api.post(f"{here}/publication", {"seen": 2}, as_=STAFF, at=DECEMBER_9)
    assert answer.status == 201
    notice = (await api.get(f"/v1/notices/{draft['id']}")).json()
    assert notice == answer.json()
    assert (notice["title"], notice["date"]) == ("Closed", "2020-12-09")
    assert notice["wordings"] == wordings
    assert (await api.get(here, as_=STAFF)).status == 404
    [told] = await events(api, "notice.published")
    assert (told["notice_id"], told["version"]) == (draft["id"], 1)
    assert told["wordings"] == wordings


async def test_feeds_have_a_notice_in_the_language_of_the_feed(api: Api) -> None:
    texts = {"title": "閉館", "content": "由星期四起。"}
    body = {"title": "Closed", "content": "From Thursday.", "wordings": {"zh-Hant": texts}}
    assert (await api.post("/v1/notices", body, as_=STAFF)).status == 201
    for kind in ("atom", "json"):
        chinese = (await api.get(f"/v1/notices.{kind}?lang=zh-Hant")).body.decode()
        assert "由星期四起" in chinese
        assert "Thursday" not in chinese
        assert "From Thursday" in (await api.get(f"/v1/notices.{kind}?lang=zh-Hans")).body.decode()


async def test_a_scheduled_draft_is_published_once_its_time_has_come(api: Api) -> None:
    await register(api)
    draft = await drafted(api, await closed(api))
    here = f"{DRAFTS}/{draft['id']}"
    time = {"publish_at": "2020-12-10T09:00:00+08:00", "seen": 1}
    saved = (await api.call("PUT", here, TEXTS | time, as_=STAFF)).json()
    assert saved["publish_at"] == "2020-12-10T01:00:00Z"
    assert await published(api, "2020-12-10T08:59:59+08:00") == 0
    assert (await api.get(f"/v1/notices/{draft['id']}")).status == 404
    assert await published(api, "2020-12-10T09:00:00+08:00") == 1
    assert await published(api, "2020-12-10T09:00:10+08:00") == 0
    notice = (await api.get(f"/v1/notices/{draft['id']}")).json()
    assert (notice["date"], notice["published_at"]) == ("2020-12-10", "2020-12-10T01:00:00Z")


async def published(api: Api, at: str) -> int:
    return await api.job("notices/publish-notices", at=at)


async def test_a_draft_that_many_publish_at_once_is_published_once(api: Api) -> None:
    await register(api)
    draft = await drafted(api, await closed(api))
    here = f"{DRAFTS}/{draft['id']}"
    time = {"publish_at": "2020-12-10T09:00:00+08:00", "seen": 1}
    assert (await api.call("PUT", here, TEXTS | time, as_=STAFF)).status == 200
    at = "2020-12-10T09:00:00+08:00"
    jobs = [published(api, at) for _ in range(5)]
    by_hand = [api.post(f"{here}/publication", {"seen": 2}, as_=STAFF, at=at) for _ in range(5)]
    done, answers = await asyncio.gather(asyncio.gather(*jobs), asyncio.gather(*by_hand))
    assert {answer.status for answer in answers} <= {201, 404}
    assert sum(done) + sum(answer.status == 201 for answer in answers) == 1
    assert len(await events(api, "notice.published")) == 1


async def test_a_deleted_draft_is_never_published(api: Api) -> None:
    await register(api)
    draft = await drafted(api, await closed(api))
    here = f"{DRAFTS}/{draft['id']}"
    time = {"publish_at": "2020-12-10T09:00:00+08:00", "seen": 1}
    await api.call("PUT", here, TEXTS | time, as_=STAFF)
    assert (await api.delete(f"{here}?seen=1", as_=STAFF)).status == 409
    assert (await api.delete(f"{here}?seen=2", as_=STAFF)).status == 204
    assert (await api.delete(f"{here}?seen=2", as_=STAFF)).status == 404
    assert await published(api, "2020-12-11T09:00:00+08:00") == 0
    assert (await api.get("/v1/notices")).json()["items"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"wordings": {"fr": {"title": "t", "content": "c"}}},
        {"wordings": {"zh-Hant": {"title": "t", "content": ""}}},
        {"publish_at": "2020-12-10T09:00:00"},
        {"publish_at": "3000-12-10T09:00:00+08:00"},
        {"content": "x" * 10_001},
        {"seen": 0},
    ],
)
async def test_a_draft_with_a_wrong_field_is_refused(api: Api, change: dict[str, Any]) -> None:
    answer = await api.call("PUT", f"{DRAFTS}/none", TEXTS | {"seen": 1} | change, as_=STAFF)
    assert answer.status == 422
