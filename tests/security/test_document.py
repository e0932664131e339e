"""The running system behaves as its OpenAPI document says, for every role.

Valid and invalid requests are generated from the document, and the answers compared with it: no
server error, no status that is not named, no other type or form. The generated requests of an
operation are the same in each run.
"""

import contextlib
import copy
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from pymongo import MongoClient
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ops.infrastructure.processes import System
from services.gateway.edge import openapi as edge_openapi
from services.registry import NAMES
from services.settings import Settings
from shared.audit_trail import RECORDED_ROLES
from tests.library import PIN, ROLES, Library
from tests.sampling import sample
from tests.security.conftest import UNLIMITED, operations
from tests.systems import started_system

OPERATIONS = 200
"""Most operations of which a run that plays a sample generates requests."""
EXAMPLES = 3
"""Number of generated requests for each operation.

Two callers send each: to generate a request takes more time than to send it.
"""
SEQUENCES = {
    "": 12,
    "patron": 32,
    "staff": 32,
    "station": 16,
    "tracer": 12,
    "admin": 12,
    "ops": 12,
}
"""Number of sequences of all operations of a role; in each, operations use earlier answers."""
A_RUN = 4
"""Number of sequences that are generated together."""
SAMPLED_RUNS = 3
"""Greatest number of such runs of a role in a run of the tests that plays a sample."""
MOST_RUNS = 20
"""Greatest number of runs of the operations of a pair in FOLLOWED until the pair has occurred."""
STEPS = 8
"""Number of operations in a sequence."""
FOLLOWED = {
    "": {("GET /v1/titles", "/{title_id}"), ("GET /v1/branches", "/{code}")},
    "patron": {
        ("GET /v1/me", "/loans/{loan_id}"),
        ("GET /v1/me/charges", "/charges/{charge_id}"),
        ("GET /v1/me/inbox", "/{notification_id}/read"),
        ("POST /v1/holds", "/holds/{hold_id}"),
    },
    "staff": {
        ("GET /v1/patrons", "/patrons/{patron_id}"),
        ("POST /v1/activities", "/activities/{activity_id}"),
        ("POST /v1/branches", "/branches/{code}"),
        ("POST /v1/closures", "/closures/{closure_id}"),
        ("POST /v1/titles", "/titles/{title_id}"),
    },
    "station": {
        ("GET /v1/titles", "/{title_id}"),
        ("POST /v1/returns", "/copies/{barcode}/arrival"),
    },
    "tracer": {("GET /v1/titles", "/{title_id}"), ("GET /v1/branches", "/{code}")},
    "admin": {("GET /v1/titles", "/{title_id}"), ("GET /v1/branches", "/{code}")},
    "ops": {("GET /v1/titles", "/{title_id}"), ("GET /v1/branches", "/{code}")},
}
"""Pairs of operations that must occur, by role.

The first operation answers with a thing; the path of the second contains the given text.
"""
SENT = (
    "ActivityIn",
    "CheckOutIn",
    "EnquiryBody",
    "HoldChange",
    "HoldIn",
    "PaymentIn",
    "Place",
    "ReturnIn",
    "SessionIn",
    "TracingBody",
)
"""Bodies with fields that name existing things."""
ENDS_TOKENS = {
    ("/v1/sessions", "delete"),
    ("/v1/sessions/current", "delete"),
    ("/v1/ops/keys/revoke", "post"),
    ("/v1/staff/{staff_id}/disable", "post"),
    ("/v1/staff/{staff_id}/role", "put"),
    ("/v1/staff/{staff_id}/pin", "put"),
    ("/v1/staff/{staff_id}/second-factor", "delete"),
}
"""Operations after which the callers' tokens are refused; their own tests are in tests/accounts."""
IDENTITIES = ("id", "code", "barcode")
NOW = "2020-11-20T10:00:00+08:00"
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
    """A system of this file's own: random calls by staff close libraries and suspend fines."""
    with started_system(tmp_path_factory, environment=UNLIMITED) as started:
        yield started


@pytest.fixture
async def tokens(library: Library) -> dict[str, str]:
    """A token for each role; "" is a caller without one."""
    card = await library.patron(await library.branch())
    found = {role: await library.engage(role) for role in (*ROLES, "ops")}
    return {**found, "patron": library.tokens[card], "": ""}


@pytest.fixture
async def document(library: Library) -> dict[str, Any]:
    """The complete document without default responses, so that each answer must be named."""
    document: dict[str, Any] = await library.get("/openapi.json")
    while "x-missing" in document:
        document = await library.get("/openapi.json")
    del document["paths"]["/v1/me/stream"]  # it does not end
    for path, method in ENDS_TOKENS:
        del document["paths"][path][method]
    for by_method in document["paths"].values():
        for operation in by_method.values():
            del operation["responses"]["default"]
            # Generated keys are nearly always equal, and repeat the first answer.
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
    """Return the differences between an answer and the document."""
    told = f"{role or 'nobody'}: {case.method} {case.formatted_path}"
    if response.status_code == 503 and b'"unavailable"' in response.content:
        return []
    if response.status_code == 414 and b'"address-too-long"' in response.content:
        return []  # refused before any route
    if response.status_code == 400 and "x-content-type-options" not in response.headers:
        return []  # drawn headers that are not valid HTTP: the parser refuses them
    try:
        case.validate_response(response, checks=[not_a_server_error, *CHECKS])
    except (Failure, FailureGroup) as failure:
        found = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
        sent = f"{case.headers} {case.query} {str(case.body)[:80]}"
        said = f"{response.status_code} {response.text[:200]}"
        return [f"{told} ({sent}) → {said}: {one}" for one in found]
    if response.headers.get("content-type") == ["application/problem+json"]:
        said = case.operation.definition.raw["responses"][str(response.status_code)]
        code = response.json()["code"]
        if code not in said["content"]["application/problem+json"]["examples"]:
            return [f"{told} → {response.status_code}: `{code}` is not named"]
    return []


def test_every_response_is_listed_in_the_document(
    library: Library, document: dict[str, Any], tokens: dict[str, str]
) -> None:
    schema = schema_of(document, library)
    faults: list[str] = []
    done: dict[str, str] = {}
    """Successful commands of recorded roles, and looks, by the id of the request."""
    asked = 0
    for operation in sample((one.ok() for one in schema.get_all_operations()), OPERATIONS):
        said = document["paths"][operation.path][operation.method]["security"]
        allowed = sorted(role for one in said for role in one if role in tokens)

        @LIMITS
        @hypothesis.given(
            case=st.one_of(
                operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
                operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
            ),
            # One with access, after one who may be without and then is only refused.
            callers=st.tuples(st.sampled_from(sorted(tokens)), st.sampled_from(allowed or [""])),
        )
        def ask(case: Any, callers: tuple[str, str]) -> None:
            nonlocal asked
            for role in callers:
                asked += 1
                response = case.call(headers=headers_of(tokens[role]))
                faults.extend(held_against(case, response, role))
                security = case.operation.definition.raw["security"]
                acts = role in RECORDED_ROLES and any(role in one for one in security)
                if response.status_code < 400 and acts and case.method != "GET":
                    [request_id] = response.headers["x-request-id"]
                    done[request_id] = f"{case.method} {case.operation.path}"

        ask()
    assert asked > 300
    assert sorted(set(faults)) == []
    acts = recorded_acts(library)
    assert done
    lost = {act for request, act in done.items() if not acts.get(request, "").startswith(act)}
    assert lost == set(), "these commands are not in an audit trail"


def recorded_acts(library: Library) -> dict[str, str]:
    """Return the acts in the audit trails of all services, by the id of their request."""
    settings = library.system.settings(Settings)
    with MongoClient[dict[str, Any]](settings.mongo_url) as client:
        return {
            entry["correlation_id"]: entry["act"]
            for service in NAMES
            for entry in client[f"{settings.database_prefix}_{service}"].audit_trail.find()
        }


@dataclass
class Shelf:
    """Existing things for a role to work with, so that not all its calls name unknown ones."""

    branch: str
    card: str
    patron: str
    titles: list[str]
    barcodes: list[str]
    charge: str

    def words(self) -> dict[str, list[Any]]:
        """Return values of fields and parameters, by name."""
        return {
            "at": [None, NOW],
            "branch": [self.branch],
            "branches": [[self.branch]],
            "pickup_branch": [self.branch],
            "card": [self.card],
            "card_number": [self.card],
            "barcodes": [[one] for one in self.barcodes] + [self.barcodes],
            "charge_ids": [[self.charge]],
            "expires_on": [None, "2021-06-30"],
            "offline": [False],
            "patron_id": [self.patron],
            "pin": [PIN],
            "title_id": self.titles,
            "q": ["Title"],
        }


@pytest.fixture
async def shelf(library: Library, tokens: dict[str, str]) -> Shelf:
    """A branch, a logged-in patron with loans and debts, and available copies."""
    policy = {"block_over_cents": 1_000_000, "reason": "Who owes a little may go on"}
    await library.call("PUT", "/v1/policies/default", policy, by="staff")
    branch = await library.branch()
    card = await library.patron(branch)
    lost, *barcodes = [(await library.copies(branch, 1))[0] for _ in range(7)]
    copies = [await library.get(f"/v1/copies/{one}", by="staff") for one in barcodes[2:]]
    await library.flow.settle(within=60)
    library.now = NOW
    [loan] = await library.lend(card, [lost], branch)
    price = {"price_cents": 12_800}
    loss = await library.post(f"/v1/loans/{loan['id']}/loss", price, by="staff")
    await library.lend(card, barcodes[:2], branch)
    await library.flow.settle(within=60)
    tokens["patron"] = library.tokens[card]
    return Shelf(
        branch,
        card,
        patron=loan["patron_id"],
        titles=[copy["title_id"] for copy in copies],
        barcodes=barcodes[1:],
        charge=loss["charges"][0]["id"],
    )


def narrowed(
    document: dict[str, Any], is_kept: Callable[[str, dict[str, Any]], bool]
) -> dict[str, Any]:
    """Return a copy with the operations for which `is_kept(label, operation)` is true.

    A label has the form "GET /v1/titles".
    """
    kept = copy.deepcopy(document)
    there = set()
    for path, by_method in kept["paths"].items():
        for method, operation in list(by_method.items()):
            if is_kept(f"{method.upper()} {path}", operation):
                there.add(operation["operationId"])
            else:
                del by_method[method]
    for by_method in kept["paths"].values():
        for operation in by_method.values():
            for answer in operation["responses"].values():
                links = answer.get("links", {})
                answer["links"] = {name: links[name] for name in links.keys() & there}
    return kept


def for_role(document: dict[str, Any], role: str, words: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the document of a role's operations, with `words` as the values of these names."""

    def is_allowed(_: str, operation: dict[str, Any]) -> bool:
        return not operation["security"] or {role: []} in operation["security"]

    of_role = narrowed(document, is_allowed)
    for by_method in of_role["paths"].values():
        for operation in by_method.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in words and parameter["in"] == "query":
                    parameter["schema"] = {"enum": words[parameter["name"]]}
    schemas = of_role["components"]["schemas"]
    for name in SENT:
        for field in schemas[name]["properties"].keys() & words.keys():
            schemas[name]["properties"][field] = {"enum": words[field]}
    # Most drawn texts have control characters, which are refused.
    for text in texts_of(schemas["ActivityIn"]):
        text["pattern"] = r"^[^\x00-\x1f\x7f-\x9f]*$"
    for name in ("ClosureBody", "SuspensionIn"):  # otherwise all libraries are soon closed
        schemas[name]["properties"]["branches"] = {"enum": words["branches"]}
        schemas[name]["properties"]["kinds"] = {"enum": [[]]}
    # Most drawn days are too far from today, and most drawn texts are no ISBN.
    schemas["ClosureBody"]["properties"]["from"] = {"enum": ["2021-06-01"]}
    schemas["ClosureBody"]["properties"]["reopened_on"] = {"enum": [None, "2021-06-10"]}
    schemas["TitleIn"]["properties"]["isbn"] = {"enum": [None]}
    schemas["ActivityIn"]["properties"] |= {
        "starts_at": {"enum": ["2021-07-01T10:00:00Z"]},
        "ends_at": {"enum": [None, "2021-07-01T11:00:00Z"]},
        "places": {"enum": [None, 3]},  # 3.0 is a whole number to the document, and refused
        "recording": {"enum": [None]},
    }
    return of_role


def texts_of(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the schemas of texts of any form."""
    if isinstance(schema, list):
        for one in schema:
            yield from texts_of(one)
    elif isinstance(schema, dict):
        if schema.get("type") == "string" and not schema.keys() & {"enum", "format", "pattern"}:
            yield schema
        for one in schema.values():
            yield from texts_of(one)


def of_pair(document: dict[str, Any], source: str, thing: str) -> dict[str, Any]:
    """Return the document of a pair in FOLLOWED."""
    return narrowed(document, lambda label, _: label == source or thing in label)


@pytest.mark.parametrize("role", SEQUENCES)
def test_operations_that_use_earlier_answers_match_the_document(
    library: Library, document: dict[str, Any], tokens: dict[str, str], shelf: Shelf, role: str
) -> None:
    faults: list[str] = []
    followed: Counter[tuple[str, str]] = Counter()
    """Number of times that an operation used something from an earlier answer."""

    def sequences_of(document: dict[str, Any]) -> Any:
        class Sequence(schema_of(document, library).as_state_machine()):  # type: ignore[misc]
            def setup(self) -> None:
                self.told: dict[str, str] = {}

            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                return {"headers": headers_of(tokens[role]) | {"Carrel-Time": NOW}}

            def validate_response(self, response: Any, case: Any, **_: Any) -> None:
                faults.extend(held_against(case, response, role))
                label = f"{case.method} {case.operation.path}"
                if response.status_code < 300 or response.status_code == 409:  # 409: it exists
                    for value in (case.path_parameters or {}).values():
                        if value in self.told:
                            followed[self.told[value], label] += 1
                if response.status_code < 300:
                    for value in identities(response):
                        self.told.setdefault(value, label)

        return Sequence

    def play(sequences: Any, seed: int) -> None:
        # The library has state: a call that succeeded once may be refused when repeated.
        with contextlib.suppress(hypothesis.errors.Flaky):
            hypothesis.seed(seed)(sequences).run(settings=limits)

    def missed(source: str, thing: str) -> bool:
        return not any(first == source and thing in then for first, then in followed)

    limits = hypothesis.settings(LIMITS, max_examples=A_RUN, stateful_step_count=STEPS)
    of_role = for_role(document, role, shelf.words())
    # Among more than a hundred operations, one rarely uses the answer of a certain other. These
    # come first: later all that can be reserved is reserved, and all that is owed is paid.
    for source, thing in sorted(FOLLOWED[role]):
        pair = sequences_of(of_pair(of_role, source, thing))
        for seed in range(MOST_RUNS):
            if not missed(source, thing):
                break
            play(pair, seed)
    all_of_role = sequences_of(of_role)
    for seed in sample(range(SEQUENCES[role] // A_RUN), SAMPLED_RUNS):
        play(all_of_role, seed)
    assert sorted(set(faults)) == []
    assert [pair for pair in sorted(FOLLOWED[role]) if missed(*pair)] == []


def identities(response: Any) -> Iterator[str]:
    """Yield all ids in an answer, by which things can be requested."""
    is_json = "json" in str(response.headers.get("content-type"))
    level = [response.json()] if response.content and is_json else []
    for value in level:
        if isinstance(value, dict):
            yield from (value[name] for name in IDENTITIES if isinstance(value.get(name), str))
            level += value.values()
        elif isinstance(value, list):
            level += value


async def test_each_curl_line_of_the_documentation_is_a_valid_request(
    library: Library, document: dict[str, Any], tokens: dict[str, str]
) -> None:
    for path, by_method in document["paths"].items():
        for method, operation in by_method.items():
            allowed = [role for one in operation["security"] for role in one]
            token = tokens[allowed[0] if allowed else ""]
            line = edge_openapi.curl(method, path, operation)
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
                # The examples are no token, notification, passkey or log-in of this system.
                if refused := {
                    "/v1/sessions/renewal": "session-ended",
                    "/v1/payments/notifications": "forbidden",
                    "/v1/sessions/passkey": "bad-passkey",
                    "/v1/sessions/provider": "bad-provider-log-in",
                }.get(path):
                    assert refused in told
                    continue
                assert answer.status not in (400, 401, 403, 405, 415, 422), told
                assert answer.status < 500, told


def holds(template: str, path: str) -> bool:
    """Return whether a path is one of those that a template stands for."""
    return re.fullmatch(re.sub(r"\{[^}]*\}", "[^/{}]+", template), path) is not None


async def test_unknown_routes_methods_and_media_types_are_refused_with_their_status(
    library: Library, tokens: dict[str, str]
) -> None:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    found = await operations(library)
    paths = {one.path for one in found} - {"/oai"}  # its protocol has its own errors, in XML
    for path in sorted(paths):
        there = {one.method for one in found if one.path == path}
        url = library.system.gateway_url + path.replace("{", "").replace("}", "")
        # The template of another path may hold a path: `/v1/titles/{title_id}` every name.
        held = {one.method for one in found if holds(one.path, path)}
        for method in sorted(methods - there - held):
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
