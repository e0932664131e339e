"""The talk of domain.md, whose recording is available from 20 November 2020, 7 pm."""

from typing import Any

import orjson

from services.events.app import SUBSCRIPTIONS
from shared.clock import parse_instant
from shared.contracts import Event
from shared.contracts.notices import BranchRegistered
from shared.unit_of_work import Origin, Run
from tests import samples
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


async def hear(api: Api, event: Event, event_id: str, at: str = ANNOUNCED) -> None:
    """Deliver an event as the listener does."""
    handler = SUBSCRIPTIONS.by_topic[event.topic].handler
    origin = Origin(now=parse_instant(at), causation_id=event_id)
    await handler(event, Run(api.app.state.unit_of_work, origin, inbox=event_id, within=30.0))


async def register_branches(api: Api, *codes: str) -> None:
    """Deliver the registration of branches that are open on every day."""
    for code in codes:
        await hear(api, samples.branch(BranchRegistered, 1, code), f"registered-{code}")
    await api.job("events/closures")
