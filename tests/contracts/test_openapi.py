"""The merged OpenAPI document: valid, without leftovers, and with a true example of each body."""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from services.examples import COMMON
from services.gateway.edge.openapi import curl, merge
from services.registry import NAMES, OWNERS
from services.settings import Settings
from shared.examples import Examples, NoExample

Operations = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return merged()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> Operations:
    """Each operation with its method and path, such as "POST /v1/holds"."""
    return [
        (f"{method.upper()} {path}", operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def merged() -> dict[str, Any]:
    """The document that the gateway serves when all services answer."""
    documents = {}
    for service in NAMES:
        create_app = importlib.import_module(f"services.{service}.app").create_app
        settings: type[Settings] = importlib.import_module(f"services.{service}.settings").Settings
        documents[service] = create_app(settings()).openapi()
    return merge(documents.pop("gateway"), documents)


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the request bodies and successful answers of an operation, each with a label."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"body as {kind}", content
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            for kind, content in answer.get("content", {}).items():
                yield f"{status} as {kind}", content


def shown(content: dict[str, Any]) -> list[Any]:
    """Return the examples of a body."""
    one = [content["example"]] if "example" in content else []
    return one + [example["value"] for example in content.get("examples", {}).values()]


def references(value: Any) -> set[str]:
    """Return the names of all schemas that are referred to."""
    return set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(value)))


def test_the_document_is_valid_openapi_3_1_with_valid_schemas(document: dict[str, Any]) -> None:
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate(schema)
        assert schema.get("description"), f"{name} says nothing of itself"


def test_every_schema_and_security_scheme_is_used(
    document: dict[str, Any], operations: Operations
) -> None:
    assert references(document) == document["components"]["schemas"].keys()
    roles = {role for _, operation in operations for one in operation["security"] for role in one}
    assert roles == document["components"]["securitySchemes"].keys()


def test_each_operation_has_a_unique_stable_id(operations: Operations) -> None:
    ids = [operation["operationId"] for _, operation in operations]
    assert len(set(ids)) == len(ids)
    by_place = {place: operation["operationId"] for place, operation in operations}
    assert by_place["POST /v1/loans/{loan_id}/renewals"] == "post_loans_loan_id_renewals"
    assert by_place["GET /v1/me"] == "get_me"


LOG_INS = ("POST /v1/sessions", "POST /v1/second-factors")
"""Beginnings of operations whose callers prove who they are with the body."""


def test_an_operation_names_its_roles_exactly_if_it_answers_401(operations: Operations) -> None:
    for place, operation in operations:
        proves_itself = place.startswith(LOG_INS)
        assert bool(operation["security"]) == ("401" in operation["responses"]) or (
            proves_itself and not operation["security"]
        ), place


def test_each_body_has_an_example(operations: Operations) -> None:
    missing = [
        f"{place}, {what}: {content.get('x-no-example', 'no example')}"
        for place, operation in operations
        for what, content in bodies(operation)
        if not shown(content)
    ]
    assert missing == []


def test_each_example_matches_its_schema(document: dict[str, Any], operations: Operations) -> None:
    faults = []
    for place, operation in operations:
        for what, content in bodies(operation):
            schema = content["schema"] | {"components": document["components"]}
            validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
            faults += [
                f"{place}, {what}: {error.message} at {list(error.instance_path)}"
                for example in shown(content)
                for error in validator.iter_errors(example)
            ]
        for parameter in operation.get("parameters", ()):
            if "example" in parameter:
                validator = jsonschema_rs.Draft202012Validator(
                    parameter["schema"], validate_formats=True
                )
                if not validator.is_valid(parameter["example"]):
                    faults.append(f"{place}: {parameter['name']}")
    assert faults == []


def test_each_example_has_every_field(document: dict[str, Any], operations: Operations) -> None:
    """The example of an answer has every field, if only as null."""
    schemas = document["components"]["schemas"]
    for place, operation in operations:
        for what, content in bodies(operation):
            schema = content["schema"]
            if what.startswith("2") and "$ref" in schema:
                fields = schemas[schema["$ref"].rpartition("/")[2]]["properties"]
                assert shown(content)[0].keys() == fields.keys(), f"{place}, {what}"


def test_every_required_path_or_query_parameter_has_an_example(operations: Operations) -> None:
    missing = [
        f"{place}: {parameter['name']}"
        for place, operation in operations
        for parameter in operation.get("parameters", ())
        if parameter.get("required") and "example" not in parameter
    ]
    assert missing == []


def test_each_example_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used: dict[str, set[str]] = {service: set() for service in NAMES}

    class Noted(dict[str, Any]):
        def __init__(self, service: str, known: Mapping[str, Any]) -> None:
            super().__init__(known)
            self._service = service

        def __getitem__(self, name: str) -> Any:
            used[self._service].add(name)
            return super().__getitem__(name)

        def get(self, name: str, default: Any = None) -> Any:
            used[self._service].add(name)
            return super().get(name, default)

    own = {}
    for service in NAMES:
        module = importlib.import_module(f"services.{service}.examples")
        own[service] = module.EXAMPLES.keys() - COMMON.keys()
        monkeypatch.setattr(module, "EXAMPLES", Noted(service, module.EXAMPLES))
    merged()
    assert {service: sorted(own[service] - used[service]) for service in NAMES} == {
        service: [] for service in NAMES
    }
    assert sorted(COMMON.keys() - set().union(*used.values())) == []


@pytest.mark.parametrize("name", NAMES)
def test_people_libraries_and_doors_have_names_of_their_own(name: str) -> None:
    examples = importlib.import_module(f"services.{name}.examples").EXAMPLES
    assert "name" not in examples


def test_a_field_without_an_example_is_named() -> None:
    schemas = {"Loan": {"properties": {"weight_grams": {"type": "integer"}}}}
    with pytest.raises(NoExample, match=r"Loan\.weight_grams"):
        Examples({}).of({"$ref": "#/components/schemas/Loan"}, schemas, "GET /v1/loans")


def test_a_specific_example_overrides_the_one_of_a_model_or_field() -> None:
    known = {"due_on": 1, "Loan.due_on": 2, "Lent.loan.due_on": 3, "POST /x.loan.due_on": 4}
    schemas = {
        name: {"properties": {"due_on": {"type": "integer"}}} for name in ("Loan", "Other")
    } | {"Lent": {"properties": {"loan": {"$ref": "#/components/schemas/Loan"}}}}

    def made(model: str, *places: str) -> Any:
        return Examples(known).of({"$ref": f"#/components/schemas/{model}"}, schemas, *places)

    assert made("Other") == {"due_on": 1}
    assert made("Loan") == {"due_on": 2}
    assert made("Lent") == {"loan": {"due_on": 3}}
    assert made("Lent", "POST /x") == {"loan": {"due_on": 4}}


def test_a_curl_line_is_a_complete_request(document: dict[str, Any]) -> None:
    holds = document["paths"]["/v1/holds/{hold_id}"]["patch"]
    assert curl("patch", "/v1/holds/{hold_id}", holds) == (
        'curl -X PATCH "$CARREL/v1/holds/01780d6c-4b20-7e47-92c1-8d5f0b3a7e06" \\\n'
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        '  -d \'{\n  "pickup_branch": "HKCL",\n  "expires_on": "2021-06-30",\n'
        '  "frozen": true,\n  "frozen_until": "2021-03-31"\n}\''
    )
    removal = document["paths"]["/v1/policies/{policy_id}"]["delete"]
    assert curl("delete", "/v1/policies/{policy_id}", removal).startswith(
        'curl -X DELETE "$CARREL/v1/policies/children?reason=Children%27s+copies'
    )


def links(operations: Operations) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield each link with its operation and the answer that contains it."""
    for place, operation in operations:
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                yield place, answer, link


def test_a_link_passes_the_id_of_the_response_to_the_next_operation(
    operations: Operations,
) -> None:
    by_id = {operation["operationId"]: operation for _, operation in operations}
    for place, answer, link in links(operations):
        then = by_id[link["operationId"]]
        wanted = {one["name"]: one["example"] for one in then["parameters"] if one["in"] == "path"}
        assert link["parameters"].keys() == wanted.keys(), place
        for name, expression in link["parameters"].items():
            [content] = answer["content"].values()
            found = shown(content)[0]
            for part in expression.removeprefix("$response.body#/").split("/"):
                found = found[int(part)] if isinstance(found, list) else found[part]
            assert found == wanted[name], f"{place}: {link}"


@pytest.mark.parametrize(
    ("answered", "then"),
    [
        ("POST /v1/titles", "get_titles_title_id"),
        ("GET /v1/titles", "get_titles_title_id"),
        ("POST /v1/holds", "delete_holds_hold_id"),
        ("POST /v1/checkouts", "post_loans_loan_id_renewals"),
        ("POST /v1/returns", "get_charges_charge_id"),
        ("GET /v1/me", "get_loans_loan_id_fine_statement"),
        ("GET /v1/me/inbox", "post_me_inbox_notification_id_read"),
        ("POST /v1/patrons", "get_patrons_patron_id"),
        ("POST /v1/closures", "post_closures_closure_id_reopening"),
        ("PATCH /v1/closures/{closure_id}", "get_closures_closure_id"),
        ("POST /v1/payments", "get_payments_payment_id"),
    ],
)
def test_an_answer_links_to_operations_on_the_resource_it_returns(
    operations: Operations, answered: str, then: str
) -> None:
    assert then in {
        link["operationId"] for place, _, link in links(operations) if place == answered
    }


OF_NO_RULE = {
    "forbidden",
    "idempotency-key-reused",
    "malformed",
    "not-found",
    "not-json",
    "too-large",
    "too-many-requests",
    "too-many-streams",
    "unauthenticated",
    "unavailable",
}
NEVER_ANSWERED = {"payment-over"}
"""Codes that one use case raises only for another; no answer has them."""


def test_the_documented_refusal_codes_are_exactly_the_existing_ones(
    operations: Operations,
) -> None:
    refusals = {
        refusal.code
        for service in OWNERS
        for refusal in importlib.import_module(
            f"services.{service}.refusals"
        ).Refusal.__subclasses__()
    }
    named, told = set[str](), ""
    for _, operation in operations:
        told += operation["description"]
        for answer in operation["responses"].values():
            problem = answer.get("content", {}).get("application/problem+json", {})
            named |= set(problem.get("examples", ()))
    assert sorted(named - refusals - OF_NO_RULE) == []
    silent = refusals - NEVER_ANSWERED - named
    assert sorted(code for code in silent if f"`{code}`" not in told) == []
