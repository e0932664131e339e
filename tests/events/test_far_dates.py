"""Dates at the ends of the calendar are refused, and cause no failure if already stored."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.events.programme import ANNOUNCED, STAFF, TALK, published
from tests.support import Api

END = "9999-12-31T23:59:59Z"


@pytest.mark.parametrize(
    "change",
    [
        {"starts_at": END},
        {"starts_at": "1850-01-01T00:00:00Z"},
        {"ends_at": END},
        {"recording": {"available_from": END, "url": "https://media.example.org/x"}},
    ],
)
async def test_an_activity_too_far_from_today_is_refused_naming_the_field(
    api: Api, change: dict[str, Any]
) -> None:
    answer = await api.post("/v1/activities", {**TALK, **change}, as_=STAFF, at=ANNOUNCED)
    assert answer.status == 422
    [error] = answer.json()["errors"]
    assert error["field"].startswith(f"body.{next(iter(change))}")
    assert "within 100 years" in error["message"]


async def test_a_stored_activity_at_the_end_of_the_calendar_does_not_break_the_list(
    api: Api,
) -> None:
    talk = await published(api)
    far = {"starts_at": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)}
    await api.app.state.database.activities.update_one({"_id": talk["id"]}, {"$set": far})
    listed = await api.get("/v1/activities?from=2021-01-01", at=ANNOUNCED)
    assert [item["id"] for item in listed.json()["items"]] == [talk["id"]]
    assert (await api.get("/v1/activities.ics", at=ANNOUNCED)).status == 200
    assert (await api.get(f"/v1/activities/{talk['id']}", at=ANNOUNCED)).status == 200
