"""Notices over HTTP: published by staff, read by everyone."""

from typing import Any

from tests.notices.library import STAFF, events, patron, register
from tests.support import Api

DECEMBER_1 = "2020-12-01T18:00:00+08:00"


async def test_notices_are_published_and_read_by_everyone_newest_first(api: Api) -> None:
    await register(api)
    posts: list[dict[str, Any]] = [
        {"title": "All closed", "content": "c", "date": "2020-12-10"},
        {"title": "Small ones", "content": "c", "kinds": ["small", "mobile"]},
        {"title": "Central", "content": "c", "branches": ["HKCL"], "date": "2020-12-10"},
    ]
    for body in posts:
        answer = await api.post("/v1/notices", body, as_=STAFF, at=DECEMBER_1)
        assert answer.status == 201, answer.body
    listed = (await api.get("/v1/notices")).json()["items"]
    assert [notice["title"] for notice in listed] == ["Central", "All closed", "Small ones"]
    assert (listed[2]["branches"], listed[2]["date"]) == (["LFU", "ML1"], "2020-12-01")
    page = (await api.get("/v1/notices?limit=2")).json()
    assert (await api.get(f"/v1/notices?after={page['next']}")).json()["items"] == listed[2:]
    of_small = (await api.get("/v1/notices?branch=LFU")).json()["items"]
    assert [notice["title"] for notice in of_small] == ["All closed", "Small ones"]
    told = await events(api, "notice.published")
    assert [(e["title"], e["branches"], e["version"]) for e in told] == [
        ("All closed", [], 1),
        ("Small ones", ["LFU", "ML1"], 1),
        ("Central", ["HKCL"], 1),
    ]
    unknown = {"title": "t", "content": "c", "branches": ["XX"]}
    assert (await api.post("/v1/notices", unknown, as_=STAFF)).status == 404
    assert (await api.get("/v1/notices?after=nonsense")).status == 422


async def test_a_notice_and_a_subject_have_no_control_characters(api: Api) -> None:
    await register(api)
    for field in ("title", "content"):
        body = {"title": "t", "content": "c", field: "Closed\x1b[2J\0"}
        answer = await api.post("/v1/notices", body, as_=STAFF)
        assert answer.status == 422
        assert answer.json()["errors"][0]["field"] == f"body.{field}"
    question = {"subject": "Old\0maps", "text": "Where?"}
    answer = await api.post("/v1/enquiries", question, as_=patron("a"))
    assert answer.status == 422
    two_lines = {"subject": "Old\r\nmaps", "text": "Where\r\nare they?"}
    asked = (await api.post("/v1/enquiries", two_lines, as_=patron("a"))).json()
    assert asked["subject"] == "Old maps"
