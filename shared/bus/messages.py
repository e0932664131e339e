"""Messages in progress: those that are processed together, and the span of each."""

import contextlib
from collections.abc import Iterator, Sequence

from faststream.message import StreamMessage
from opentelemetry.trace import SpanKind

from shared.bus.offsets import Offsets
from shared.bus.subscriptions import Record
from shared.telemetry import correlated
from shared.tracing import begin, under


class Batch(StreamMessage[Record]):
    """Messages that FastStream passes to the handler, and acknowledges, together."""

    def __init__(self, records: Sequence[Record], offsets: Offsets) -> None:
        super().__init__(records[0], records)
        self.records = records
        self._offsets = offsets

    async def ack(self) -> None:
        """Note that the messages are processed."""
        await self._offsets.processed(self.records)

    async def nack(self) -> None:
        """Read the messages again later: their partitions must not move past them."""
        self._offsets.put_back(self.records)


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
