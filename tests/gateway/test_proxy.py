"""Forwarding: target, request and the answer when an owner is away."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from services.gateway.edge.openapi import merge
from services.gateway.edge.proxy import owner_of
from services.gateway.settings import Settings
from shared.contracts.circulation import LoanCheckedOut
from shared.http.client_address import HEADER, client_header
from shared.mongo import Database, connect
from tests import samples
from tests.gateway.conftest import Owner, circulation, says
from tests.support import Api, reaching, served, token, until

Gateway = Callable[[Settings], AbstractAsyncContextManager[Api]]
Echoes = tuple[Settings, dict[str, Owner]]
PATRON = token()
SECRET = "secret of these tests"


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/v1/sessions", "accounts"),
        ("/v1/patrons/p1", "accounts"),
        ("/v1/staff", "accounts"),
        ("/v1/me/preferences", "accounts"),
        ("/v1/keys", "accounts"),
        ("/v1/ops/keys", "accounts"),
        ("/v1/titles/t1", "circulation"),
        ("/v1/checkouts", "circulation"),
        ("/v1/returns", "circulation"),
        ("/v1/loans/l1/fine-statement", "circulation"),
        ("/v1/me/renewals", "circulation"),
        ("/v1/fine-suspensions/s1/withdrawal", "circulation"),
        ("/v1/charges/c1/waiver", "circulation"),
        ("/v1/me/charges", "circulation"),
        ("/v1/patrons/p1/charges", "circulation"),
        ("/v1/patrons/p1/block", "accounts"),
        ("/v1/holds/h1", "circulation"),
        ("/v1/payments", "circulation"),
        ("/v1/activities/a1/recording", "events"),
        ("/v1/activities.ics", "events"),
        ("/v1/branches/HKCL", "notices"),
        ("/v1/closures/c1/reopening", "notices"),
        ("/v1/notices", "notices"),
        ("/v1/notices.atom", "notices"),
        ("/v1/notices.json", "notices"),
        ("/v1/me/inbox/n1/read", "notices"),
        ("/v1/ops/jobs/circulation/overdue", "circulation"),
        ("/v1/ops/jobs/events/releases", "events"),
        ("/v1/service-sessions", None),
        ("/v1/me/accruing", None),
        ("/v1/ops/audit-trail/notices", "notices"),
        ("/v1/ops/audit-trail/gateway", None),
        ("/v1/ops/jobs/gateway/x", None),
        ("/v1/ops/jobs", None),
        ("/v1/titlesque", None),
        ("/v1/", None),
        ("/v1/titles/", None),
        ("/v1/titles/../service-sessions", None),
        ("/v1/titles/%2e%2e/service-sessions", None),
        ("/v1/titles/..%2fservice-sessions", None),
        ("/v1/titles/..%5Cservice-sessions", None),
        ("/v1/titles//x", None),
        ("/v1/titles/a%0d%0ab", None),
        ("/v1/titles/a%20b", "circulation"),
    ],
)
def test_a_path_belongs_to_one_owner_or_none(path: str, owner: str | None) -> None:
    assert owner_of(path) == owner


async def test_a_request_reaches_its_owner_as_it_was_sent(echoes: Echoes, gateway: Gateway) -> None:
    settings, owners = echoes
    async with gateway(settings) as api:
        answer = await api.post(
            "/v1/titles/a%20b?q=x%26y&q=z",
            {"n": 1},
            as_=PATRON,
            key="k-1",
            at="2021-03-01T10:00:00+08:00",
            headers={"Accept-Language": "zh-Hant", "If-None-Match": '"6"', "X-Request-Id": "r-1"},
        )
    asked = owners["circulation"].asked[-1]
    assert answer.status == 201
    assert (asked["method"], asked["path"], asked["query"]) == (
        "POST",
        "/v1/titles/a%20b",
        "q=x%26y&q=z",
    )
    assert asked["body"] == '{"n": 1}'
    wanted = {
        "authorization": f"Bearer {PATRON}",
        "idempotency-key": "k-1",
        "content-type": "application/json",
        "accept-language": "zh-Hant",
        "if-none-match": '"6"',
        "x-request-id": "r-1",
        "carrel-time": "2021-03-01T10:00:00+08:00",
        "carrel-changes": "1",
    }
    assert wanted.items() <= asked["headers"].items()


async def test_only_listed_headers_are_forwarded_in_each_direction(
    echoes: Echoes, gateway: Gateway
) -> None:
    settings, owners = echoes
    async with gateway(settings.model_copy(update={"service_secret": SECRET})) as api:
        answer = await api.get(
            "/v1/branches",
            headers={
                "Carrel-Changes": "1",
                HEADER: client_header("198.51.100.7", SECRET, whole=False),
                "Cookie": "a=b",
                "X-Forwarded-For": "10.0.0.1",
                "X-Anything": "x",
                "Connection": "keep-alive, authorization",
            },
        )
    sent = owners["notices"].asked[-1]["headers"]
    assert {"carrel-changes", "cookie", "x-forwarded-for", "x-anything"}.isdisjoint(sent)
    # The client of the trusted proxy, not one that the client names.
    assert sent[HEADER] == client_header("10.0.0.1", SECRET, whole=False)
    assert sent[HEADER].startswith("10.0.0.0/24 ")
    assert len(sent["x-request-id"]) == 36
    names = {name.lower() for name in answer.headers}
    assert {"etag", "retry-after", "content-type"} <= names
    assert {"set-cookie", "x-internal"}.isdisjoint(names)


async def test_only_log_ins_and_new_pins_have_the_whole_address_of_the_client(
    echoes: Echoes, gateway: Gateway
) -> None:
    settings, owners = echoes
    forged = {HEADER: client_header("203.0.113.1", SECRET, whole=True)}
    async with gateway(settings.model_copy(update={"service_secret": SECRET})) as api:
        for path in (
            *("sessions", "second-factors", "second-factors/removal", "pin-resets"),
            "guest-enquiries",
        ):
            await api.post(f"/v1/{path}", {"card_number": "HK1", "pin": "1"}, headers=forged)
    told, not_told = owners["accounts"].asked[-4:], owners["notices"].asked[-1]
    whole, network = (client_header("127.0.0.1", SECRET, whole=it) for it in (True, False))
    assert [one["headers"][HEADER] for one in told] == [whole] * 4
    assert not_told["headers"][HEADER] == network


async def test_outside_a_simulation_no_caller_sets_the_time(
    echoes: Echoes, gateway: Gateway
) -> None:
    settings, owners = echoes
    async with gateway(settings.model_copy(update={"simulation": False})) as api:
        answer = await api.get("/v1/titles", at="2021-03-01T10:00:00+08:00")
        assert answer.status == 201
        assert (await api.get("/v1/me", as_=PATRON, at="nonsense")).status == 200
    assert "carrel-time" not in owners["circulation"].asked[-1]["headers"]


async def test_a_path_without_an_owner_is_not_found(echoes: Echoes, gateway: Gateway) -> None:
    settings, owners = echoes
    async with gateway(settings) as api:
        for path in ("/v1/service-sessions", "/v1/me/accruing", "/v1/nothing", "/v1", "/nothing"):
            for call in (api.get, api.post):
                answer = await call(path)
                assert (answer.status, answer.json()["code"]) == (404, "not-found"), path
    assert not any(owner.asked for owner in owners.values())


async def in_pieces() -> AsyncIterator[bytes]:
    for _ in range(300):
        yield b"x" * 1000


async def test_a_body_over_the_limit_is_not_forwarded(echoes: Echoes, gateway: Gateway) -> None:
    settings, owners = echoes
    async with gateway(settings) as api:
        json = {"Content-Type": "application/json"}
        answer = await api.call("POST", "/v1/titles", data=b"x" * 300_000, headers=json)
        assert (answer.status, answer.json()["code"]) == (413, "too-large")
        pieces: Any = in_pieces()  # no length is declared
        answer = await api.call("POST", "/v1/titles", data=pieces, headers=json)
        assert (answer.status, answer.json()["code"]) == (413, "too-large")
    assert owners["circulation"].asked == []


async def unavailable(api: Api, method: str, path: str, owner: str) -> None:
    answer = await api.call(method, path)
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert owner in answer.json()["detail"]
    assert answer.headers["Retry-After"] == "2"


async def test_a_dead_owner_is_named_before_the_deadline(
    settings: Settings, gateway: Gateway
) -> None:
    async with gateway(settings) as api:
        await unavailable(api, "GET", "/v1/titles", "circulation")
        await unavailable(api, "POST", "/v1/sessions", "accounts")
        await unavailable(api, "GET", "/v1/activities", "events")
        await unavailable(api, "DELETE", "/v1/closures/c1", "notices")


@pytest.mark.deadlines
async def test_a_hanging_owner_is_named_before_the_deadline(
    echoes: Echoes, gateway: Gateway
) -> None:
    settings, _ = echoes
    async with gateway(settings) as api, says(b"") as silent:
        await unavailable(api, "GET", "/v1/titles/hangs", "circulation")
    async with gateway(reaching(settings, circulation=silent)) as api:
        await unavailable(api, "POST", "/v1/checkouts", "circulation")


@pytest.mark.deadlines
@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02 no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\ncut off",
        b"HTTP/1.1 200 OK\r\nCarrel-Changes: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nCarrel-Changes: 1\r\nContent-Length: 3\r\n\r\nnot",
        b"",
    ],
    ids=["no HTTP", "cut off", "no changes", "no JSON", "silence"],
)
async def test_an_owner_with_a_malformed_response_is_named(
    garbage: bytes, settings: Settings, gateway: Gateway
) -> None:
    async with says(garbage) as url:
        changed = reaching(settings, circulation=url)
        async with gateway(changed) as api:
            await unavailable(api, "POST", "/v1/checkouts", "circulation")


async def test_errors_and_redirects_of_an_owner_become_503(
    echoes: Echoes, gateway: Gateway
) -> None:
    settings, _ = echoes
    async with gateway(settings) as api:
        await unavailable(api, "GET", "/v1/titles/breaks", "circulation")
        await unavailable(api, "GET", "/v1/titles/moves", "circulation")


async def test_health_reports_which_owners_are_alive(
    echoes: Echoes, settings: Settings, gateway: Gateway
) -> None:
    living, _ = echoes
    half = reaching(living, events=settings.urls["events"])
    async with gateway(half) as api:

        async def seen() -> bool:
            owners = (await api.operations("/health/owners")).json()["owners"]
            return bool(owners["accounts"]["live"] and owners["notices"]["live"])

        await until(seen)
        assert (await api.operations("/health/owners")).json()["owners"]["events"] == {
            "live": False
        }


# ---- own writes ---------------------------------------------------------------------------------


async def overview(api: Api) -> Any:
    at = "2021-02-01T10:00:00+08:00"
    answer = await api.insist("GET", "/v1/me", as_=PATRON, at=at)
    assert answer.status == 200
    return answer.json()


async def test_a_client_reads_its_own_writes_on_any_replica_without_kafka(
    lending: tuple[Settings, Owner], gateway: Gateway
) -> None:
    settings, _ = lending
    async with gateway(settings) as here, gateway(settings) as there:
        lent = await here.post("/v1/checkouts?loan_id=loan-1", as_=PATRON)
        assert (lent.status, lent.json()) == (201, {"lent": "loan-1"})
        assert "carrel-changes" not in {name.lower() for name in lent.headers}
        assert [loan["id"] for loan in (await overview(there))["loans"]] == ["loan-1"]

        renewed = await there.post("/v1/loans/loan-1/renewals", as_=PATRON, key="k-1")
        assert (renewed.status, renewed.json()) == (200, {"renewed": "loan-1"})
        loan = (await overview(here))["loans"][0]
        assert (loan["due_on"], loan["renewals_left"], loan["version"]) == ("2021-03-01", 4, 2)

        again = await here.post("/v1/loans/loan-1/renewals", as_=PATRON, key="k-1")
        assert again.body == renewed.body

        ended = await here.delete("/v1/holds/loan-1", as_=PATRON)
        assert (ended.status, ended.body) == (204, b"")
        assert (await overview(there))["loans"] == []


async def test_a_refusal_reaches_the_client_as_the_owner_gave_it(
    lending: tuple[Settings, Owner], gateway: Gateway
) -> None:
    settings, _ = lending
    async with gateway(settings) as api:
        refused = await api.post("/v1/loans/refused/renewals", as_=PATRON)
        assert (refused.status, refused.json()["code"]) == (404, "not-found")
        assert refused.headers["Content-Type"] == "application/problem+json"
        bare = await api.post("/v1/loans/loan-1/renewals")
        assert (bare.status, bare.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_an_account_shows_what_a_command_did_before_it_was_refused(
    lending: tuple[Settings, Owner], gateway: Gateway
) -> None:
    settings, _ = lending
    async with gateway(settings) as api:
        refused = await api.post("/v1/holds?loan_id=loan-1", as_=PATRON)
        assert (refused.status, refused.json()["code"]) == (404, "not-found")
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert [loan["id"] for loan in (await overview(api))["loans"]] == ["loan-1"]


async def test_the_kafka_event_of_an_own_write_changes_nothing(
    lending: tuple[Settings, Owner],
    gateway: Gateway,
    views: Database,
    hear: Callable[..., Awaitable[None]],
) -> None:
    settings, _ = lending
    async with gateway(settings) as api:
        await api.post("/v1/checkouts?loan_id=loan-1", as_=PATRON, at=samples.at(5).isoformat())
    before = await views.account_views.find_one({"_id": "patron-1"})
    await hear(samples.loan(LoanCheckedOut, 1), samples.at(5))
    assert await views.account_views.find_one({"_id": "patron-1"}) == before


async def test_changes_made_past_the_gateway_arrive_by_kafka(
    settings: Settings, kafka: str, gateway: Gateway
) -> None:
    there = settings.model_copy(update={"kafka": kafka, "roles": ("api", "relay")})
    async with served(circulation(there).create_app, there) as lender:
        here = there.model_copy(update={"roles": ("api", "consumers")})
        async with gateway(here) as api:
            await lender.post("/v1/checkouts?loan_id=loan-1", as_=PATRON)

            async def shown() -> bool:
                return [loan["id"] for loan in (await overview(api))["loans"]] == ["loan-1"]

            await until(shown)


@pytest.mark.deadlines
async def test_commands_and_queries_work_while_the_views_are_away(
    lending: tuple[Settings, Owner], gateway: Gateway
) -> None:
    settings, _ = lending
    async with gateway(settings) as api:
        away = connect("mongodb://127.0.0.1:1/?replicaSet=rs0")
        present, api.app.state.database = api.app.state.database, away["t_gateway"]
        lent = await api.post("/v1/checkouts?loan_id=loan-1", as_=PATRON)
        assert (lent.status, lent.json()) == (201, {"lent": "loan-1"})
        unread = await api.get("/v1/me", as_=PATRON)
        assert (unread.status, unread.json()["code"]) == (503, "unavailable")
        api.app.state.database = present
        away.close()


# ---- OpenAPI ------------------------------------------------------------------------------------


async def test_the_merged_document_has_exactly_the_public_routes(
    lending: tuple[Settings, Owner], gateway: Gateway
) -> None:
    settings, _ = lending
    async with gateway(settings) as api:
        document = (await api.get("/openapi.json")).json()
        assert document["openapi"].startswith("3.1")
        assert {"/v1/me", "/v1/me/info", "/v1/checkouts"} <= set(document["paths"])
        assert "/v1/me/accruing" not in document["paths"]
        assert document["x-missing"] == ["accounts", "events", "notices"]
        page = await api.get("/docs")
        assert page.headers["Content-Type"].startswith("text/html")
        assert "POST /v1/checkouts" in page.body.decode()
        assert "://" not in page.body.decode()


def test_nested_schemas_of_the_same_name_are_kept_apart() -> None:
    def document(path: str, inner: str) -> dict[str, Any]:
        reference = {"$ref": "#/components/schemas/Outer"}
        return {
            "paths": {path: {"get": {"responses": {"200": {"schema": reference}}}}},
            "components": {
                "schemas": {
                    "Outer": {"properties": {"x": {"$ref": "#/components/schemas/Inner"}}},
                    "Inner": {"type": inner},
                    "Unused": {"type": "string"},
                }
            },
        }

    own: dict[str, Any] = {"openapi": "3.1.0", "paths": {}, "components": {"schemas": {}}}
    merged = merge(
        own,
        {
            "accounts": document("/v1/patrons", "string"),
            "circulation": document("/v1/loans", "integer"),
            "events": document("/v1/activities", "string"),
        },
    )
    assert merged["components"]["schemas"] == {
        "Outer": {"properties": {"x": {"$ref": "#/components/schemas/Inner"}}},
        "Inner": {"type": "string"},
        "CirculationOuter": {
            "properties": {"x": {"$ref": "#/components/schemas/CirculationInner"}}
        },
        "CirculationInner": {"type": "integer"},
    }
    answered = merged["paths"]["/v1/loans"]["get"]["responses"]["200"]["schema"]
    assert answered == {"$ref": "#/components/schemas/CirculationOuter"}
    assert merged["paths"]["/v1/loans"]["get"]["tags"] == ["circulation"]
