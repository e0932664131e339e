"""Every field of a contract and of a request has a bound, so that nothing grows without limit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from ops.commands.contracts import FOLDER, examples_of, kept_in
from services.gateway.views.store.schema import WHOLE
from shared.contracts import published
from tests.contracts.test_openapi import merged

FORMATS = {"date", "date-time"}
SPREAD_TOO_FAR = {
    "closure_id": "c-1",
    "from": "2021-02-01",
    "reason": "Repairs",
    "announcements": [
        {
            "version": 1,
            "at": "2021-02-01T02:00:00Z",
            "reopened_on": "2021-03-01",
            "stagger_days": 2**31,
        }
    ],
}


def unbounded(form: Any, path: str) -> Iterator[str]:
    """Yield the path of every text, number and list in a schema that has no limit."""
    if isinstance(form, list):
        for item in form:
            yield from unbounded(item, path)
    if not isinstance(form, dict):
        return
    kind = form.get("type")
    closed = "enum" in form or "const" in form or form.get("format") in FORMATS
    if kind == "string" and not closed and not {"pattern", "maxLength"} & form.keys():
        yield path
    if kind in ("integer", "number") and not {"minimum", "maximum"} <= form.keys() and not closed:
        yield path
    if kind == "array" and "maxItems" not in form:
        yield path
    for name in ("anyOf", "items"):
        yield from unbounded(form.get(name), path)
    for group in ("properties", "$defs"):
        for name, part in form.get(group, {}).items():
            yield from unbounded(part, f"{path}.{name}")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.name)
def test_every_text_number_and_list_of_a_contract_has_a_bound(file: Path) -> None:
    assert list(unbounded(orjson.loads(file.read_bytes()), "payload")) == []


@pytest.mark.parametrize(
    ("topic", "field", "value"),
    [
        ("patron.erased", "patron_id", WHOLE),
        ("loan.overdue", "loan_id", "../loans?as_of=1"),
        ("loan.overdue", "loan_id", "x" * 81),
        ("fine.assessed", "outstanding_cents", 2**63 - 1),
        ("fine.assessed", "amount_cents", 2**63 - 1),
        ("notice.published", "content", "x" * 900_000),
        ("title.catalogued", "version", 2**63),
        ("branch.reopened", "capacity", 2**31),
        ("branch.reopened", "closures", [SPREAD_TOO_FAR]),
    ],
)
def test_a_message_out_of_bounds_is_faulty(topic: str, field: str, value: object) -> None:
    payload = examples_of(kept_in(FOLDER)[topic])[0]
    contract = published()[topic]
    contract.model_validate(payload)
    with pytest.raises(ValidationError):
        contract.model_validate({**payload, field: value})


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return merged()


def resolved(form: Any, document: dict[str, Any]) -> Any:
    """Return a schema with each reference replaced by the schema that it refers to."""
    if isinstance(form, list):
        return [resolved(item, document) for item in form]
    if not isinstance(form, dict):
        return form
    if "$ref" in form:
        name = form["$ref"].rpartition("/")[2]
        return resolved(document["components"]["schemas"][name], document)
    return {name: resolved(part, document) for name, part in form.items()}


def test_every_text_number_and_list_of_a_request_has_a_bound(document: dict[str, Any]) -> None:
    found: list[str] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            bodies = operation.get("requestBody", {}).get("content", {}).values()
            schemas = [body["schema"] for body in bodies]
            schemas += [one["schema"] for one in operation.get("parameters", [])]
            for schema in schemas:
                found += unbounded(resolved(schema, document), f"{method} {path}")
    assert found == []
