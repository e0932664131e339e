"""Payloads as values by name, checked by their contracts without an object for each of them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from pydantic_core import SchemaValidator, core_schema

from shared.clock import wall_clock
from shared.contracts import published

USUAL_YEARS = 90
"""Years before and after this one of usual dates. Contracts accept more."""
BOUNDED_DATES = "Value._bounded_dates"
"""The function of all contracts in whose place dates have bounds here."""


@cache
def usual_payload(topic: str) -> SchemaValidator:
    """Return the check of a topic's payloads as they are published today.

    It accepts less than the contract, and reads the same values. It refuses a payload without a
    field that the contract derives from others, as earlier releases published them, and dates far
    from today.
    """
    year = wall_clock().year
    first, last = date(year - USUAL_YEARS, 1, 1), date(year + USUAL_YEARS, 1, 1)
    bounds = {
        "date": {"ge": first, "le": last},
        "datetime": {
            "ge": datetime(first.year, 1, 1, tzinfo=UTC),
            "le": datetime(last.year, 1, 1, tzinfo=UTC),
        },
    }
    return SchemaValidator(_plain(published()[topic].__pydantic_core_schema__, bounds))


def _plain(schema: Any, bounds: Mapping[str, Any]) -> Any:
    """Return a schema of pydantic's core in which each model is a dictionary."""
    if isinstance(schema, (list, tuple)):
        return [_plain(one, bounds) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    match schema.get("type"):
        case "function-after" if schema["function"]["function"].__qualname__ != BOUNDED_DATES:
            raise TypeError(f"{schema['function']} is not known")
        case "function-after" | "model":
            inner = _plain(schema["schema"], bounds)
            return inner | {"ref": schema["ref"]} if "ref" in schema else inner
        case "model-fields":
            fields = schema["fields"].items()
            return core_schema.typed_dict_schema(
                {
                    one.get("serialization_alias", name): _field(one["schema"], bounds)
                    for name, one in fields
                }
            )
        case "date" | "datetime" as kind:
            return {**schema, **bounds[kind]}
    return {
        name: part if name in ("default", "metadata") else _plain(part, bounds)
        for name, part in schema.items()
    }


def _field(schema: Any, bounds: Mapping[str, Any]) -> core_schema.TypedDictField:
    if "default_factory" in schema:
        return core_schema.typed_dict_field(_plain(schema["schema"], bounds), required=True)
    required = schema["type"] != "default"
    return core_schema.typed_dict_field(_plain(schema, bounds), required=required)
