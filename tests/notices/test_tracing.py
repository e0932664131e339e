"""Contact tracing over HTTP: who was inside when, for tracers only, with each look on record."""

import csv
import io
from typing import Any

import pytest

from services.notices.settings import Settings
from services.notices.visits import commands as visits_commands
from services.notices.visits import queries as visits_queries
from services.notices.visits.routes import tracing as tracing_routes
from services.notices.visits.rules import Look
from tests.notices.library import STAFF, patron
from tests.notices.test_visits import MASTER, check_in, check_out, count, limited
from tests.support import OPS, Answer, Api, token

TRACER = token("tracer-1", ["tracer"], name="Lee Ka-ming")
MARCH_9 = "2021-03-09T10:00:00+08:00"
CASE = {"case_number": "CHP-2021-0417", "reason": "A visitor has fallen ill"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"visit_keys": MASTER})


def on(clock: str, day: str = "2021-03-08") -> str:
    return f"{day}T{clock}:00+08:00"


async def look(
    api: Api, start: str, until: str, as_: str = TRACER, key: str | None = None, **more: Any
) -> Answer:
    body = {"branch": "HKCL", "start": start, "until": until, **CASE, **more}
    return await api.post("/v1/tracings", body, as_=as_, at=MARCH_9, key=key)


async def names(api: Api, start: str, until: str) -> list[str]:
    answer = await look(api, on(start), on(until))
    assert answer.status == 201, answer.body
    return [visit["name"] for visit in answer.json()["visits"]]


async def looks(api: Api) -> list[dict[str, Any]]:
    answer = await api.get("/v1/tracings", as_=OPS)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def busy_day(api: Api) -> None:
    """Ann is inside from 9:10 to 10:00, Ben from 9:50 on, and Cai on the next day."""
    venue = await limited(api, 50)
    ann = (await check_in(api, venue, at=on("09:10"), name="Ann")).json()["id"]
    await check_in(api, venue, at=on("09:50"), name="Ben", as_=patron("ben"))
    await count(api, 7, at=on("09:55"))
    await check_out(api, ann, at=on("10:00"))
    await check_in(api, venue, at=on("09:50", "2021-03-09"), name="Cai")


async def test_a_look_shows_who_was_inside_in_the_time_in_question(api: Api) -> None:
    await busy_day(api)
    assert await names(api, "09:00", "09:10") == []
    assert await names(api, "09:00", "09:11") == ["Ann"]
    assert await names(api, "09:30", "09:51") == ["Ann", "Ben"]
    assert await names(api, "10:00", "10:30") == ["Ann", "Ben"]
    assert await names(api, "10:01", "19:00") == ["Ben"]
    next_day = await look(api, on("09:00", "2021-03-09"), on("20:00", "2021-03-09"))
    assert [visit["name"] for visit in next_day.json()["visits"]] == ["Cai"]
    elsewhere = await look(api, on("09:00"), on("20:00"), branch="STPL")
    assert elsewhere.json()["visits"] == []


async def test_each_look_is_recorded_and_shown_to_overseers(api: Api) -> None:
    await busy_day(api)
    await names(api, "09:30", "09:51")
    await look(api, on("10:01"), on("19:00"), format="csv")
    found = await looks(api)
    assert [(one["by"], one["found"], one["format"]) for one in found] == [
        ("Lee Ka-ming", 1, "csv"),
        ("Lee Ka-ming", 2, "json"),
    ]
    assert {name: found[0][name] for name in CASE} == CASE
    assert found[0]["start"] == "2021-03-08T02:01:00Z"
    assert "Ann" not in str(found)


async def test_only_tracers_look_and_only_operators_oversee(api: Api) -> None:
    await busy_day(api)
    for caller in (STAFF, OPS, patron("ben"), token("station-1", ["station"])):
        refused = await look(api, on("09:00"), on("20:00"), as_=caller)
        assert (refused.status, refused.json()["code"]) == (403, "forbidden")
    for caller in (STAFF, TRACER, patron("ben")):
        assert (await api.get("/v1/tracings", as_=caller)).status == 403
    assert await looks(api) == []


async def test_a_repeated_request_is_another_look(api: Api) -> None:
    await busy_day(api)
    for _ in range(2):
        answer = await look(api, on("09:00"), on("20:00"), key="the same")
        assert len(answer.json()["visits"]) == 2
    assert len(await looks(api)) == 2
    assert await api.app.state.database.answers.count_documents({"_id": {"$regex": "same"}}) == 0


async def test_a_look_is_recorded_before_anything_is_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await busy_day(api)
    recorded: list[int] = []

    async def ends(db: Any, look: Look, *_: Any) -> None:
        recorded.append(await db.visit_looks.count_documents({"_id": look.id}))
        raise RuntimeError("the process ends here")

    monkeypatch.setattr(tracing_routes, "visits_of_look", ends)
    assert (await look(api, on("09:00"), on("20:00"))).status == 500
    assert recorded == [1]
    assert [one["found"] for one in await looks(api)] == [2]


@pytest.mark.parametrize(
    ("start", "until"),
    [
        (on("10:00"), on("10:00")),
        (on("10:00"), on("09:00")),
        (on("10:00"), on("10:01", "2021-03-09")),
    ],
)
async def test_a_look_has_a_span_of_at_most_a_day(api: Api, start: str, until: str) -> None:
    await limited(api, 5)
    refused = await look(api, start, until)
    assert (refused.status, refused.json()["code"]) == (422, "bad-span")
    assert await looks(api) == []


async def test_a_look_needs_a_case_a_reason_and_a_branch(api: Api) -> None:
    await limited(api, 5)
    span = (on("09:00"), on("20:00"))
    for missing in ("case_number", "reason"):
        assert (await look(api, *span, **{missing: " "})).status == 422
    assert (await look(api, *span, branch="XX")).json()["code"] == "no-such-branch"
    assert await looks(api) == []


async def test_a_look_at_too_many_visits_is_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await busy_day(api)
    monkeypatch.setattr(visits_commands, "MOST_SHOWN", 1)
    assert (await look(api, on("09:00"), on("20:00"))).json()["code"] == "too-many-visits"
    assert await names(api, "10:01", "19:00") == ["Ben"]


async def test_an_export_is_a_table_that_no_spreadsheet_computes(api: Api) -> None:
    venue = await limited(api, 5)
    await check_in(api, venue, at=on("09:10"), name='=cmd|" /C calc"!A0', phone="6123 4567")
    await check_in(api, venue, at=on("09:20"), name="陳, 大文", phone="+852 6123 4568")
    answer = await look(api, on("09:00"), on("20:00"), format="csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert answer.headers["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [(row["name"], row["phone"], row["entered_at"]) for row in rows] == [
        ('\'=cmd|" /C calc"!A0', "6123 4567", "2021-03-08T01:10:00Z"),
        ("陳, 大文", "'+852 6123 4568", "2021-03-08T01:20:00Z"),
    ]


async def test_a_visit_without_a_key_is_shown_without_its_visitor(api: Api) -> None:
    await busy_day(api)
    await api.app.state.database.visit_keys.delete_one({"_id": "2021-03-08"})
    answer = await look(api, on("09:00"), on("20:00"))
    assert [(visit["name"], visit["phone"]) for visit in answer.json()["visits"]] == [
        (None, None),
        (None, None),
    ]
    assert visits_queries.SeenVisit.__dataclass_fields__["visitor"].repr is False
