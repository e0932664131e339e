"""Answers that all services give, tried on a small one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Any

import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from joserfc.jwk import OKPKey
from prometheus_client import REGISTRY
from structlog.testing import LogCapture
from yarl import URL

from services.settings import Settings
from shared.auth import Patron, Staff
from shared.http import middleware, problems
from shared.http.app import create_service_app
from shared.http.bodies import Body
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.problems import NotFound
from shared.http.service import Service
from shared.refusals import Refusal, refuses
from tests import patience
from tests.shared.things import Raise, Thing, raise_count
from tests.support import Api, served, token, until

router = APIRouter(prefix="/v1")


class ThingIn(Body):
    id: str


TooMany = Refusal.define(409, "too-many", "There are too many things.")
Closed = Refusal.define(409, "closed", "The library is closed.")


@refuses(Closed, methods=("POST",))
async def is_open(request: Request) -> None:
    if request.headers.get("closed"):
        raise Closed


@router.post("/things", status_code=201, dependencies=[Depends(is_open)])
@refuses(TooMany)
async def post_thing(body: ThingIn, _caller: Patron, run: Run) -> Thing:
    if body.id == "refused":
        raise TooMany
    if body.id == "broken":
        raise KeyError("a secret")
    return await run(raise_count, Raise(body.id))


@router.get("/things/{thing_id}", dependencies=[Depends(is_open)])
async def get_thing(thing_id: str, db: Db) -> dict[str, int]:
    found = await db.things.find_one({"_id": thing_id})
    if found is None:
        raise NotFound("thing")
    return {"count": found["count"]}


@router.get("/time")
async def get_time(now: BusinessTime, _caller: Staff) -> str:
    return now.isoformat()


@router.post("/raw")
async def post_raw(request: Request) -> int:
    return len(await request.body())


STEPS: dict[str, asyncio.Event] = {}
"""The steps of a slow answer, `at work` and `go on`, made by the test."""


@router.post("/slow")
async def post_slow() -> str:
    STEPS["at work"].set()
    await STEPS["go on"].wait()
    return "done"


@router.post("/stream")
async def post_stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        STEPS["at work"].set()
        await STEPS["go on"].wait()
        for _ in range(100):
            yield b"x" * 100_000

    return StreamingResponse(parts())


@router.get("/links/{secret}")
async def get_link(secret: str) -> None:
    """Fail, or hang, at an address with a secret."""
    if secret.startswith("hang"):
        await asyncio.Event().wait()
    if secret.startswith("far"):
        raise OverflowError
    raise KeyError("a fault of ours")


def create_app(settings: Settings, *, within: float | None = None) -> FastAPI:
    return create_service_app(
        Service(
            name="circulation",
            title="Things",
            routers=(router,),
            indexes={"things": []},
            answers_within=within,
        ),
        settings,
    )


@pytest.fixture
async def api(mongo_url: str, database: str) -> AsyncIterator[Api]:
    settings = Settings(
        mongo_url=mongo_url, database_prefix=database, roles=("api",), simulation=True
    )
    async with served(create_app, settings) as api:
        yield api


PATRON = token()


async def test_a_retried_command_returns_the_first_response(api: Api) -> None:
    answers = [await api.post("/v1/things", {"id": "a"}, as_=PATRON, key="k-1") for _ in range(3)]
    assert [answer.status for answer in answers] == [201] * 3
    assert {answer.body for answer in answers} == {b'{"id":"a","count":1,"version":1}'}


async def test_an_idempotency_key_is_bound_to_its_caller_and_request(api: Api) -> None:
    await api.post("/v1/things", {"id": "a"}, as_=PATRON, key="k-1")
    other = await api.post("/v1/things", {"id": "a"}, as_=token("patron-2"), key="k-1")
    assert other.json()["count"] == 2

    reused = await api.post("/v1/things", {"id": "b"}, as_=PATRON, key="k-1")
    assert (reused.status, reused.json()["code"]) == (409, "idempotency-key-reused")


async def test_twenty_concurrent_retries_make_one_change(api: Api) -> None:
    answers = await asyncio.gather(
        *(api.post("/v1/things", {"id": "a"}, as_=PATRON, key="k-1") for _ in range(20))
    )
    assert {answer.json()["count"] for answer in answers if answer.status == 201} == {1}
    assert (await api.get("/v1/things/a")).json() == {"count": 1}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({"id": "refused"}, 409, "too-many", id="refused by a rule"),
        pytest.param({"id": "a", "colour": "red"}, 422, "malformed", id="unknown field"),
        pytest.param({}, 422, "malformed", id="field missing"),
        pytest.param({"id": "broken"}, 500, "internal", id="a fault of ours"),
    ],
)
async def test_problems_have_a_code(api: Api, body: dict[str, str], status: int, code: str) -> None:
    answer = await api.post("/v1/things", body, as_=PATRON)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body


async def test_a_body_that_is_not_json_is_refused(api: Api) -> None:
    answer = await api.call(
        "POST",
        "/v1/things",
        as_=PATRON,
        data=b"{",
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status, answer.json()["code"]) == (400, "not-json")


async def test_a_large_body_is_refused_before_it_is_read(api: Api) -> None:
    answer = await api.post("/v1/things", {"id": "a" * 300_000}, as_=PATRON)
    assert (answer.status, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    "body", [{str(number): 1 for number in range(1001)}, {"id": "a", "more": [1] * 1001}]
)
async def test_a_body_of_too_many_values_has_one_fault(api: Api, body: dict[str, Any]) -> None:
    answer = await api.post("/v1/things", body, as_=PATRON)
    assert (answer.status, answer.json()["code"]) == (422, "malformed")
    [error] = answer.json()["errors"]
    assert error["field"] == "body"


async def test_a_problem_names_a_hundred_wrong_fields(api: Api) -> None:
    answer = await api.post("/v1/things", {str(n): 1 for n in range(1000)}, as_=PATRON)
    assert (answer.status, len(answer.json()["errors"])) == (422, 100)


async def test_unknown_resources_and_paths_are_answered_as_problems(api: Api) -> None:
    missing = await api.get("/v1/things/none")
    nowhere = await api.get("/v1/nowhere")
    assert [missing.status, nowhere.status] == [404, 404]
    assert [missing.json()["code"], nowhere.json()["code"]] == ["not-found", "not-found"]


FORGED = OKPKey.generate_key("Ed25519")


@pytest.mark.parametrize(
    "bearer",
    [
        pytest.param(None, id="none"),
        pytest.param("x.y.z", id="no token"),
        pytest.param(token()[:-4] + "AAAA", id="altered"),
        pytest.param(token(expires_in=-1), id="expired"),
        pytest.param(token(audience="another"), id="of another audience"),
        pytest.param(token(key=FORGED), id="signed by another key"),
    ],
)
async def test_a_caller_without_a_valid_token_is_not_authenticated(
    api: Api, bearer: str | None
) -> None:
    answer = await api.post("/v1/things", {"id": "a"}, as_=bearer)
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_patrons_token_does_not_open_a_staff_route(api: Api) -> None:
    answer = await api.get("/v1/time", as_=PATRON)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")


async def test_in_a_simulation_the_header_sets_the_time(api: Api) -> None:
    staff = token("staff-1", ["staff"])
    told = await api.get("/v1/time", as_=staff, at="2021-02-19T10:00:00+08:00")
    assert told.json() == "2021-02-19T02:00:00+00:00"

    wrong = await api.get("/v1/time", as_=staff, at="2021-02-19T10:00:00")
    assert wrong.status == 422


async def test_outside_a_simulation_the_time_header_is_ignored(
    mongo_url: str, database: str
) -> None:
    settings = Settings(mongo_url=mongo_url, database_prefix=database, roles=("api",))
    async with served(create_app, settings) as api:
        told = await api.get(
            "/v1/time", as_=token("staff-1", ["staff"]), at="2021-02-19T10:00:00+08:00"
        )
    assert not told.json().startswith("2021")


async def test_a_response_contains_its_changes_if_the_caller_asks_for_them(api: Api) -> None:
    answer = await api.post(
        "/v1/things", {"id": "a"}, as_=PATRON, key="k", headers={"Carrel-Changes": "1"}
    )
    again = await api.post(
        "/v1/things", {"id": "a"}, as_=PATRON, key="k", headers={"Carrel-Changes": "1"}
    )
    assert answer.status == 201
    assert answer.headers["Carrel-Changes"] == "1"
    assert answer.json()["answer"] == {"id": "a", "count": 1, "version": 1}
    [change] = answer.json()["changes"]
    assert (change["topic"], change["data"]["version"]) == ("fines.suspended", 1)
    assert again.json()["answer"] == answer.json()["answer"]
    [repeated] = again.json()["changes"]
    assert datetime.fromisoformat(repeated.pop("recorded_at")).tzinfo is not None
    assert repeated == change

    read = await api.get("/v1/things/a", headers={"Carrel-Changes": "1"})
    assert read.json() == {"count": 1}


async def test_health_reports_the_state_of_each_dependency(api: Api) -> None:
    live, ready = await api.get("/health/live"), await api.operations("/health/ready")
    assert live.json() == {"status": "alive"}
    assert (ready.status, ready.json()["checks"]["database"]) == (200, "ok")


@pytest.mark.parametrize("path", ["/metrics", "/asyncapi", "/health/ready"])
async def test_details_for_operators_are_not_on_the_port_of_the_api(api: Api, path: str) -> None:
    assert (await api.get(path)).status == 404
    assert (await api.operations(path)).status == 200


async def test_a_refusal_is_counted_by_its_code(api: Api) -> None:
    before = REGISTRY.get_sample_value("carrel_refusals_total", {"code": "too-many"}) or 0
    await api.post("/v1/things", {"id": "refused"}, as_=PATRON)
    assert REGISTRY.get_sample_value("carrel_refusals_total", {"code": "too-many"}) == before + 1


def counted(method: str, route: str) -> dict[str, float]:
    """Return the number of answers of a route by status."""
    return {
        sample.labels["status"]: sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "carrel_http_request_seconds_count"
        and (sample.labels["method"], sample.labels["route"]) == (method, route)
    }


@pytest.mark.parametrize("route", ["/v1/things", "/v1/raw"])
async def test_a_client_that_leaves_while_it_sends_is_no_fault_of_ours(
    api: Api, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    capture = LogCapture()
    for module in (middleware, problems):
        monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[capture]))
    before = counted("POST", route)
    head = f"POST {route} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {PATRON}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 900\r\n\r\n"
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", URL(api.url).port)
        writer.write(head.encode() + b'{"id": ')
        await writer.drain()
        writer.close()

    async def ended() -> bool:
        return sum(counted("POST", route).values()) == sum(before.values()) + 3

    await until(ended)
    now = counted("POST", route)
    assert {status: now[status] - before.get(status, 0) for status in now} | {"499": 3} == {
        **dict.fromkeys(now, 0),
        "499": 3,
    }
    assert {entry["event"] for entry in capture.entries} == {"answered"}
    assert [entry["status"] for entry in capture.entries] == [499] * 3


@pytest.mark.parametrize("route", ["/v1/stream", "/v1/slow"])
async def test_a_client_that_leaves_before_the_whole_answer_is_no_fault_of_ours(
    api: Api, route: str
) -> None:
    before = counted("POST", route)
    STEPS.update({step: asyncio.Event() for step in ("at work", "go on")})
    _, writer = await asyncio.open_connection("127.0.0.1", URL(api.url).port)
    writer.write(f"POST {route} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".encode())
    async with patience.within(60):
        await STEPS["at work"].wait()
    writer.close()
    await writer.wait_closed()
    STEPS["go on"].set()

    async def ended() -> bool:
        return counted("POST", route) != before

    await until(ended)
    assert {status for status, n in counted("POST", route).items() if n} <= {"200", "499"}


async def test_metrics_name_the_route_not_the_path(api: Api) -> None:
    await api.get("/v1/things/a-certain-thing")
    metrics = (await api.operations("/metrics")).body.decode()
    assert 'route="/v1/things/{thing_id}"' in metrics
    assert "a-certain-thing" not in metrics


@pytest.mark.deadlines
async def test_a_database_that_is_away_is_a_503(database: str) -> None:
    url = "mongodb://127.0.0.1:9/?directConnection=true"
    settings = Settings(mongo_url=url, database_prefix=database, roles=("api",))
    async with served(create_app, settings, wait_for_store=False) as api:
        answer = await api.post("/v1/things", {"id": "a"}, as_=PATRON)
        ready = await api.operations("/health/ready")
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "2"
    assert ready.status == 503


def codes_in(document: dict[str, Any], method: str, path: str, status: str) -> list[str]:
    answer = document["paths"][path][method]["responses"].get(status)
    return list(answer["content"]["application/problem+json"]["examples"]) if answer else []


async def test_a_route_inherits_the_refusals_that_its_dependencies_declare(api: Api) -> None:
    document = api.app.openapi()
    assert codes_in(document, "post", "/v1/things", "409") == [
        "too-many",
        "closed",
        "idempotency-key-reused",
    ]
    assert codes_in(document, "post", "/v1/things", "401") == ["unauthenticated"]
    assert codes_in(document, "get", "/v1/things/{thing_id}", "409") == []


async def test_the_client_of_tests_fails_on_a_problem_that_its_route_does_not_declare(
    api: Api,
) -> None:
    closed = {"Closed": "yes"}
    answer = await api.post("/v1/things", {"id": "one"}, as_=PATRON, headers=closed)
    assert answer.json()["code"] == "closed"
    with pytest.raises(AssertionError, match=r"GET /v1/things/one does not declare \['closed'\]"):
        await api.get("/v1/things/one", headers=closed)


@pytest.mark.parametrize(
    ("link", "status"), [("hang-7c3e", 503), ("far-7c3e", 422), ("fail-7c3e", 500)]
)
async def test_a_failure_is_logged_with_its_route_and_never_with_the_path(
    mongo_url: str, database: str, monkeypatch: pytest.MonkeyPatch, link: str, status: int
) -> None:
    capture = LogCapture()
    for module in (middleware, problems):
        monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[capture]))
    settings = Settings(mongo_url=mongo_url, database_prefix=database, roles=("api",))
    async with served(partial(create_app, within=0.2), settings) as api:
        answer = await api.get(f"/v1/links/{link}")
    assert answer.status == status
    told = [entry for entry in capture.entries if entry["event"] != "answered"]
    assert [entry["route"] for entry in told] == ["/v1/links/{secret}"]
    assert link not in str(capture.entries)
    assert link.encode() not in answer.body
