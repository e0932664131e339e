"""The talk of domain.md, whose recording is available from 20 November 2020, 7 pm."""

from typing import Any

import orjson

from tests.support import Api, token

STAFF = token("staff-1", ["staff"])
URL = "https://media.example.org/factory-in-and-out"
TALK = {
    "title": "Factory In and Out: Small Subcontractors, Internal Contractors, and Outworkers "
    "in Hong Kong",
    "type": "talk",
    "venue": "Online",
    "starts_at": "2020-11-20T19:00:00+08:00",
    "speaker": "Prof. LUI Tai-lok",
    "organiser": "Hong Kong Public Libraries",
    "language": "Cantonese",
    "enquiries": "2921 0388",
    "recording": {"available_from": "2020-11-20T19:00:00+08:00", "url": URL},
}
ANNOUNCED = "2020-11-01T10:00:00+08:00"
BEFORE = "2020-11-20T18:59:59+08:00"
RELEASE = "2020-11-20T19:00:00+08:00"


async def published(api: Api, **other: Any) -> dict[str, Any]:
    """Publish the talk, with `other` fields changed; return the answer."""
    answer = await api.post("/v1/activities", {**TALK, **other}, as_=STAFF, at=ANNOUNCED)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def events(api: Api, topic: str) -> list[dict[str, Any]]:
    """Return the payloads of a topic in the outbox, oldest first."""
    rows = api.app.state.database.outbox.find({"topic": topic}).sort("_id", 1)
    return [orjson.loads(row["body"]) async for row in rows]
