"""A message in progress, with its span and the correlation id of its log lines."""

import contextlib
from collections.abc import Iterator

from opentelemetry.trace import SpanKind

from shared.bus.subscriptions import Record
from shared.telemetry import correlated
from shared.tracing import begin, under


class Message:
    """A message that is being processed, and its span."""

    def __init__(self, record: Record) -> None:
        self.record = record
        headers = {
            name: (value or b"").decode("ascii", "replace") for name, value in record.headers
        }
        self._correlation_id = headers.get("ce_correlationid", "")
        self.span = begin(
            f"{record.topic} process",
            SpanKind.CONSUMER,
            headers=headers,
            attributes={
                "messaging.system": "kafka",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "messaging.message.id": headers.get("ce_id", ""),
            },
        )

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """Attach the log lines and the spans of the block to this message."""
        with correlated(self._correlation_id), under(self.span):
            yield
