"""Dates in requests are limited to a range around today, and stored dates can always be read."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from aiokafka import ConsumerRecord
from fastapi import APIRouter, FastAPI
from pydantic import ValidationError

from services.settings import Settings
from shared.bus.subscriptions import Subscriptions
from shared.clock import bounded, library_day, parse_instant, wall_clock
from shared.contracts.suspensions import FinesSuspended
from shared.http.app import create_service_app
from shared.http.bodies import Body, Day
from shared.http.service import Service
from shared.mongo import connect
from tests.shared.test_http import create_app as create_things
from tests.shared.things import Thing, event_of
from tests.support import Api, served, token

ENDS = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
router = APIRouter(prefix="/v1")


class DatesIn(Body):
    day: date
    at: datetime | None = None


@router.post("/dates")
async def post_dates(body: DatesIn) -> str:
    return body.day.isoformat()


@router.get("/dates")
async def get_dates(day: Day) -> str:
    return day.isoformat()


@router.get("/overflow")
async def overflow() -> None:
    datetime.max.replace(tzinfo=UTC).astimezone(ZoneInfo("Asia/Hong_Kong"))


def create_app(settings: Settings) -> FastAPI:
    service = Service(name="circulation", title="Dates", routers=(router,), indexes={})
    return create_service_app(service, settings)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    near = settings.model_copy(update={"roles": ("api",), "date_years": 20})
    async with served(create_app, near) as api:
        yield api
    create_app(settings)  # the bound is global to the process


async def test_a_date_outside_the_accepted_years_is_refused(api: Api) -> None:
    near = {"day": "2021-02-19", "at": "2021-02-19T10:00:00+08:00"}
    assert (await api.post("/v1/dates", near)).status == 200
    assert (await api.get("/v1/dates?day=2021-02-19")).status == 200
    for far in ({"day": "1950-01-01"}, {"day": "2950-01-01"}, *({"at": end} for end in ENDS)):
        answer = await api.post("/v1/dates", {**near, **far})
        [error] = answer.json()["errors"]
        assert (answer.status, error["field"]) == (422, f"body.{next(iter(far))}")
        assert "within 20 years of today" in error["message"]
    assert (await api.get("/v1/dates?day=9999-12-31")).status == 422


async def test_a_date_overflow_is_answered_as_a_faulty_request(api: Api) -> None:
    answer = await api.get("/v1/overflow")
    assert (answer.status, answer.json()["code"]) == (422, "malformed")


@pytest.mark.parametrize("end", ENDS)
async def test_the_time_header_refuses_times_at_the_ends_of_the_calendar(
    settings: Settings, end: str
) -> None:
    simulated = settings.model_copy(update={"roles": ("api",), "simulation": True})
    async with served(create_things, simulated) as api:
        answer = await api.get("/v1/time", as_=token("s", ["staff"]), at=end)
    assert answer.status == 422


async def test_the_header_that_sets_the_time_lies_within_the_years_that_are_set(
    settings: Settings,
) -> None:
    near = settings.model_copy(update={"roles": ("api",), "simulation": True, "date_years": 20})
    async with served(create_things, near) as api:
        answers = [
            await api.get("/v1/time", as_=token("s", ["staff"]), at=f"{year}-06-01T00:00:00Z")
            for year in (wall_clock().year + 10, wall_clock().year + 30)
        ]
    create_app(settings)  # the bound is global to the process
    assert [answer.status for answer in answers] == [200, 422]
    assert "within 20 years of today" in answers[1].json()["detail"]


def test_an_event_with_a_date_outside_the_accepted_years_is_faulty() -> None:
    good = event_of(Thing("a", 1, 1)).model_dump()
    with pytest.raises(ValidationError):
        FinesSuspended.model_validate({**good, "starts_on": "9999-12-31"})
    record = ConsumerRecord(
        topic="fines.suspended",
        partition=0,
        offset=0,
        timestamp=0,
        timestamp_type=0,
        key=b"k",
        value=event_of(Thing("a", 1, 1)).body(),
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=1,
        headers=(("ce_id", b"e-1"), ("ce_time", ENDS[0].encode())),
    )
    subscriptions = Subscriptions()
    subscriptions.to(FinesSuspended)(lambda _: None)
    with pytest.raises(ValueError, match="within"):
        subscriptions.read(record)


@pytest.mark.parametrize("end", ENDS)
def test_an_instant_at_the_start_or_end_of_the_calendar_is_malformed(end: str) -> None:
    with pytest.raises(ValueError, match="within"):
        parse_instant(end)
    with pytest.raises(ValueError, match="within"):
        bounded(date.fromisoformat(end[:10]))


async def test_a_stored_instant_at_the_start_or_end_of_the_calendar_has_a_day_in_every_time_zone(
    settings: Settings,
) -> None:
    client = connect(settings.mongo_url)
    things = client[f"{settings.database_prefix}_ends"].things
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    await things.insert_one({"_id": "ends", "at": [first, last], "in": {"at": last}})
    found = await things.find_one({"_id": "ends"})
    client.close()
    assert found is not None
    for instant in (*found["at"], found["in"]["at"]):
        for zone in ("Asia/Hong_Kong", "Pacific/Kiritimati", "Pacific/Midway"):
            assert library_day(instant, ZoneInfo(zone)).year in (1, 2, 9998, 9999)
