"""Rows with typed columns: those of an event's contract, and those of its message."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from pydantic_core import SchemaValidator, core_schema

from ops.analytics.destination import Row
from ops.broker.offsets import published_at
from shared.bus.subscriptions import Record, Subscriptions
from shared.clock import library_day, wall_clock
from shared.contracts import Event, published, schema_uri

INSTANT = pa.timestamp("us", tz="UTC")
MESSAGE = {
    "event_id": pa.string(),
    "event_time": INSTANT,
    "business_day": pa.date32(),
    "recorded_at": INSTANT,
    "correlation_id": pa.string(),
    "causation_id": pa.string(),
    "kafka_partition": pa.int32(),
    "kafka_offset": pa.int64(),
}
"""Columns of every event, before those of its contract."""
UNREADABLE = "unreadable"
"""Table of the messages that are no events of their topic, without their contents."""
UNREADABLE_COLUMNS = pa.schema(
    {
        "event_id": pa.string(),
        "topic": pa.string(),
        "recorded_at": INSTANT,
        "kafka_partition": pa.int32(),
        "kafka_offset": pa.int64(),
        "error": pa.string(),
    }
)

_PLAIN = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}
_FORMATS = {"date": pa.date32(), "date-time": INSTANT}

_events = Subscriptions()


@_events.to(*published().values())
async def _read(event: Event) -> Event:
    return event


@cache
def columns_of(topic: str) -> Any:
    """Return the Arrow schema of a topic's table. Raises ValueError for a form without a type."""
    schema = published()[topic].model_json_schema(by_alias=True, mode="serialization")
    own = {
        name: _type(form, schema.get("$defs", {})) for name, form in schema["properties"].items()
    }
    if both := MESSAGE.keys() & own.keys():
        raise ValueError(f"{topic} has fields with names of message columns: {sorted(both)}")
    return pa.schema({**MESSAGE, **own})


def row_of(record: Record, zone: ZoneInfo) -> Row:
    """Return the row of a message. Raises ValueError if it is no event of its topic."""
    try:
        return _usual_row(record, zone)
    except (KeyError, TypeError, ValueError):
        return _any_row(record, zone)


def _usual_row(record: Record, zone: ZoneInfo) -> Row:
    """Return the row of a message as services publish them, at a fraction of the effort.

    Raises KeyError, TypeError or ValueError if it is another one, which may be an event all the
    same. What this function accepts, `_any_row` reads as the same row.
    """
    headers = dict(record.headers)
    if len(headers) != len(record.headers):
        raise ValueError("a header is repeated")
    b" ".join(headers.values()).decode()  # all of them are texts
    if headers["ce_dataschema"] != _schema(record.topic):
        raise ValueError("the schema has another name")
    if headers["ce_type"].decode() != record.topic:
        raise ValueError("the message is of another type than its topic")
    at = datetime.fromisoformat(headers["ce_time"].decode())
    if at.tzinfo is None or abs(at.year - wall_clock().year) > USUAL_YEARS:
        raise ValueError("the time is unusual")
    event_id, correlation_id = headers["ce_id"].decode(), headers["ce_correlationid"].decode()
    if not event_id or not correlation_id:
        raise ValueError("an id is empty")
    row: Row = usual_payload(record.topic).validate_json(record.value or b"")
    causation = headers.get("ce_causationid")
    row["event_id"] = event_id
    row["event_time"] = at
    row["business_day"] = library_day(at, zone)
    row["recorded_at"] = published_at(record)
    row["correlation_id"] = correlation_id
    row["causation_id"] = None if causation is None else causation.decode()
    row["kafka_partition"] = record.partition
    row["kafka_offset"] = record.offset
    return row


@cache
def _schema(topic: str) -> bytes:
    return schema_uri(topic).encode()


def _any_row(record: Record, zone: ZoneInfo) -> Row:
    """Return the row of a message by its contract. Raises ValueError."""
    event, event_id, origin = _events.read(record)
    headers = {name: value.decode() for name, value in record.headers}
    return {
        **event_row(event, event_id, origin.now, zone),
        "recorded_at": published_at(record),
        "correlation_id": origin.correlation_id,
        "causation_id": headers.get("ce_causationid"),
        "kafka_partition": record.partition,
        "kafka_offset": record.offset,
    }


def event_row(event: Event, event_id: str, at: datetime, zone: ZoneInfo) -> Row:
    """Return the row of an event that is on no topic; `at` is its business time, UTC."""
    return {
        **dict.fromkeys(MESSAGE),
        "event_id": event_id,
        "event_time": at,
        "business_day": library_day(at, zone),
        **event.model_dump(by_alias=True),
    }


def unreadable_row(record: Record, error: ValueError) -> Row:
    """Return the position of a message that is no event; its contents stay on the topic."""
    headers = dict(record.headers)
    return {
        "event_id": (headers.get("ce_id") or b"").decode("ascii", "replace"),
        "topic": record.topic,
        "recorded_at": published_at(record),
        "kafka_partition": record.partition,
        "kafka_offset": record.offset,
        "error": type(error).__name__,
    }


def table_of(rows: list[Row], columns: Any) -> Any:
    """Return an Arrow table of rows."""
    return pa.Table.from_pylist(rows, columns)


def _type(
    form: Mapping[str, Any], definitions: Mapping[str, Any], inside: tuple[str, ...] = ()
) -> Any:
    """Return the Arrow type of a field's schema; None for a value inside two of its own kind.

    Only the causes of a fine's span have such values, `also`, and it is one level deep there.
    """
    if "$ref" in form:
        name = form["$ref"].rpartition("/")[2]
        if inside.count(name) == 2:
            return None
        return _type(definitions[name], definitions, (*inside, name))
    if "anyOf" in form:
        [kind] = [one for one in form["anyOf"] if one.get("type") != "null"]
        return _type(kind, definitions, inside)
    match form.get("type"):
        case "array":
            items = _type(form["items"], definitions, inside)
            return None if items is None else pa.list_(items)
        case "object" if "properties" in form:
            parts = [
                (name, _type(part, definitions, inside))
                for name, part in form["properties"].items()
            ]
            return pa.struct([(name, kind) for name, kind in parts if kind is not None])
        case "object":  # names with values
            [values] = form["patternProperties"].values()
            return pa.map_(pa.string(), _type(values, definitions, inside))
        case str(kind) if kind in _PLAIN:
            return _FORMATS.get(form.get("format", ""), _PLAIN[kind])
    raise ValueError(f"no column type is known for {dict(form)}")


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
