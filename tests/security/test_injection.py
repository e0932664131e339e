"""Data stays data: database operators in bodies, queries and paths have no effect."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.library import Library
from tests.security.conftest import operations

OPERATORS: list[Any] = [
    {"$ne": ""},
    {"$gt": ""},
    {"$where": "sleep(5000)"},
    {"$regex": ".*"},
    ["a", {"$ne": 1}],
]
TEXTS = [
    '{"$ne": null}',
    "$where",
    "a.b",
    "' || '1'=='1",
    "(a+)+$",
    "%00",
    "\u202e",
    "[$ne]",
    "../../etc/passwd",
]


@pytest.mark.parametrize("field", ["card_number", "pin"])
@pytest.mark.parametrize("operator", OPERATORS, ids=str)
async def test_a_database_operator_in_a_log_in_is_rejected(
    library: Library, field: str, operator: Any
) -> None:
    body = {"card_number": "X-1", "pin": "123456"} | {field: operator}
    status, answer = await library.try_("POST", "/v1/sessions", body)
    assert (status, answer["code"]) == (422, "malformed")


async def test_database_operators_in_bodies_are_rejected(library: Library) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    for operator in OPERATORS:
        for method, path, body, by in (
            ("PATCH", "/v1/me/preferences", {"followed_branches": operator}, card),
            ("POST", "/v1/holds", {"title_id": operator, "pickup_branch": branch}, card),
            ("POST", "/v1/payments", {"charge_ids": operator}, card),
            ("POST", "/v1/checkouts", {"card_number": operator, "barcodes": operator}, "staff"),
        ):
            status, answer = await library.try_(method, path, body, by=by)
            assert (status, answer["code"]) in ((422, "malformed"), (404, "no-such-charge")), path


async def test_database_operators_in_paths_and_queries_have_no_effect(
    library: Library,
) -> None:
    for operation in await operations(library):
        if operation.method != "GET" or operation.path == "/v1/me/stream":
            continue
        if operation.roles and "staff" not in operation.roles:
            continue
        for text in TEXTS:
            path = operation.path
            for name in operation.parameters:
                path = path.replace(f"{{{name}}}", quote(text, safe=""))
            query = "&".join(f"{name}={quote(text, safe='')}" for name in operation.queries)
            status, answer = await library.try_("GET", f"{path}?{query}", by="staff")
            assert status < 500, f"{operation.id} {text}: {status} {answer}"
            if operation.parameters:
                listed = isinstance(answer, dict) and answer.get("items") == []
                assert status in (404, 422) or listed, f"{operation.id} {text}: {answer}"


@pytest.mark.parametrize("query", ["card[$ne]=x", "card[]=x&card[$regex]=.*", "card.x=1"])
async def test_query_parameters_are_never_parsed_as_objects(library: Library, query: str) -> None:
    status, answer = await library.try_("GET", f"/v1/patrons?{query}", by="staff")
    assert (status, answer["code"]) == (422, "malformed")


async def test_a_search_treats_a_pattern_as_plain_text(library: Library) -> None:
    await library.copies(await library.branch(), 1)
    assert (await library.get("/v1/titles?q=Title"))["items"]
    for pattern in ("Ti.*le", "(Tit)+le$"):
        assert (await library.get(f"/v1/titles?q={quote(pattern)}"))["items"] == []
