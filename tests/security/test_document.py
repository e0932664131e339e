"""The OpenAPI document against the running system: what it says is so, for every role.

Requests are made from the document, good and bad ones, and answers held against it: no error of
ours, no status that is not named, no other type or shape. What is drawn is the same in each run.
"""

import shlex
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ops.processes import System, system
from services.gateway import docs
from tests.library import Library
from tests.security.conftest import operations

EXAMPLES = 12
"""Requests for each operation."""
SEQUENCES, STEPS = 8, 6
"""Of operations that follow from each other's answers."""
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]
LIMITS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of its own: staff who do anything at all close libraries and suspend fines."""
    folder = tmp_path_factory.mktemp("system")
    with system(folder, simulation=True, usual_ports=False) as started:
        yield started


@pytest.fixture
async def tokens(library: Library) -> dict[str, str]:
    """A caller of each role; "": nobody."""
    card = await library.patron(await library.branch())
    found = {role: library.tokens[role] for role in ("staff", "station", "ops")}
    return {**found, "patron": library.tokens[card], "": ""}


@pytest.fixture
async def document(library: Library) -> dict[str, Any]:
    """The document, whole, without what it says for all other cases: each answer must be named."""
    document: dict[str, Any] = await library.get("/openapi.json")
    while "x-missing" in document:
        document = await library.get("/openapi.json")
    del document["paths"]["/v1/me/stream"]  # it does not end
    for by_method in document["paths"].values():
        for operation in by_method.values():
            del operation["responses"]["default"]
            # Drawn keys are nearly always the same one, which stands for what came first.
            operation["parameters"] = [
                one for one in operation.get("parameters", ()) if one["name"] != "Idempotency-Key"
            ]
    return document


def schema_of(document: dict[str, Any], library: Library) -> Any:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=library.system.gateway_url)
    return schema


def headers_of(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def held_against(case: Any, response: Any, role: str) -> list[str]:
    """What is not as the document says."""
    told = f"{role or 'nobody'}: {case.method} {case.formatted_path}"
    if response.status_code == 503 and b'"unavailable"' in response.content:
        return []
    try:
        case.validate_response(response, checks=[not_a_server_error, *CHECKS])
    except (Failure, FailureGroup) as failure:
        found = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
        return [f"{told} → {response.status_code}: {one}" for one in found]
    if response.headers["content-type"] == ["application/problem+json"]:
        said = case.operation.definition.raw["responses"][str(response.status_code)]
        code = response.json()["code"]
        if code not in said["content"]["application/problem+json"]["examples"]:
            return [f"{told} → {response.status_code}: `{code}` is not named"]
    return []


@pytest.mark.timeout(400)
def test_every_answer_is_one_that_the_document_names(
    library: Library, document: dict[str, Any], tokens: dict[str, str]
) -> None:
    schema = schema_of(document, library)
    faults: list[str] = []
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        said = document["paths"][operation.path][operation.method]["security"]
        allowed = sorted(role for one in said for role in one if role in tokens)
        # Who may call it twice as often as all of them: the others are only refused.
        callers = [*allowed, *allowed, *sorted(tokens)]

        @LIMITS
        @hypothesis.given(
            case=st.one_of(
                operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
                operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
            ),
            role=st.sampled_from(callers),
        )
        def ask(case: Any, role: str) -> None:
            nonlocal asked
            asked += 1
            response = case.call(headers=headers_of(tokens[role]))
            faults.extend(held_against(case, response, role))

        ask()
    assert asked > 300
    assert sorted(set(faults)) == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("role", ["patron", "staff"])
def test_what_follows_from_an_answer_is_as_the_document_says(
    library: Library, document: dict[str, Any], tokens: dict[str, str], role: str
) -> None:
    faults: list[str] = []

    class Sequence(schema_of(document, library).as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": headers_of(tokens[role])}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            faults.extend(held_against(case, response, role))

    Sequence.run(
        settings=hypothesis.settings(LIMITS, max_examples=SEQUENCES, stateful_step_count=STEPS)
    )
    assert sorted(set(faults)) == []


async def test_a_curl_line_of_the_page_is_a_request_that_can_be_read(
    library: Library, document: dict[str, Any], tokens: dict[str, str]
) -> None:
    for path, by_method in document["paths"].items():
        for method, operation in by_method.items():
            allowed = [role for one in operation["security"] for role in one]
            token = tokens[allowed[0] if allowed else ""]
            line = docs.curl(method, path, operation)
            line = line.replace("$CARREL", library.system.gateway_url).replace("$TOKEN", token)
            words = iter(shlex.split(line.replace("\\\n", "")))
            assert next(words) == "curl"
            verb, url, headers, body = "GET", "", {}, None
            for word in words:
                if word == "-X":
                    verb = next(words)
                elif word == "-H":
                    name, _, value = next(words).partition(": ")
                    headers[name] = value
                elif word == "-d":
                    body = next(words)
                else:
                    url = word
            async with library._session.request(verb, url, headers=headers, data=body) as answer:
                told = f"{line}: {answer.status} {await answer.text()}"
                assert answer.status not in (400, 401, 403, 405, 415, 422), told
                assert answer.status < 500, told


async def test_what_is_no_route_no_method_of_it_or_no_json_is_said(
    library: Library, tokens: dict[str, str]
) -> None:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    found = await operations(library)
    paths = {one.path for one in found}
    for path in sorted(paths):
        there = {one.method for one in found if one.path == path}
        url = library.system.gateway_url + path.replace("{", "").replace("}", "")
        for method in sorted(methods - there):
            status, answer = await library.try_(method, path, by="staff")
            assert (status, answer["code"]) in (
                (405, "method-not-allowed"),
                (404, "not-found"),
            ), f"{method} {path}"
        for method in sorted(there - {"GET"}):
            async with library._session.request(
                method, url, data="a=b", headers={"Content-Type": "text/plain"}
            ) as answered:
                assert answered.status == 415, f"{method} {path}"
    for path in ("/v1/nothing", "/v1/titles/x/nothing"):
        status, answer = await library.try_("GET", path, by="staff")
        assert (status, answer["code"]) == (404, "not-found")
