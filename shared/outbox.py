"""The outbox row of an event, as a unit of work stores it and the relay publishes it."""

from collections.abc import Sequence
from datetime import datetime

from bson import Binary

from shared.clock import wall_clock
from shared.contracts import Event, schema_uri
from shared.ids import new_id
from shared.mongo import Document
from shared.tracing import trace_headers

MAX_EVENT_BYTES = 900_000
"""The largest body of an event; Kafka's usual limit is 1 MiB for a whole batch."""


def outbox_rows(
    events: Sequence[Event], service: str, now: datetime, correlation_id: str, causation_id: str
) -> list[Document]:
    """Return the rows of a service's events; see `outbox_row`."""
    about = {"correlation_id": correlation_id, "causation_id": causation_id}
    return [outbox_row(event, service=service, now=now, **about) for event in events]


def outbox_row(
    event: Event, *, service: str, now: datetime, correlation_id: str, causation_id: str
) -> Document:
    """Return the row of an event of a service, with its headers as a CloudEvent.

    `now` is the business time. Raises ValueError if the event is larger than MAX_EVENT_BYTES.
    """
    body = event.body()
    if len(body) > MAX_EVENT_BYTES:
        raise ValueError(f"{event.topic} of {event.subject} has {len(body)} bytes")
    event_id = new_id()
    headers = event_headers(event, event_id, now, correlation_id, causation_id or correlation_id)
    return {
        "_id": event_id,
        "topic": event.topic,
        "key": event.key,
        "headers": {**headers, "ce_source": f"/services/{service}", **trace_headers()},
        "body": Binary(body),
        "recorded_at": wall_clock(),
        "pending": True,
    }


def event_headers(
    event: Event, event_id: str, now: datetime, correlation_id: str, causation_id: str
) -> dict[str, str]:
    """Return the headers of an event of its publisher as a CloudEvent; `now` is UTC."""
    return {
        "content-type": "application/json",
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": event.topic,
        "ce_source": f"/services/{event.publisher}",
        "ce_subject": event.subject,
        "ce_time": now.isoformat().replace("+00:00", "Z"),
        "ce_dataschema": schema_uri(event.topic),
        "ce_correlationid": correlation_id,
        "ce_causationid": causation_id,
    }
