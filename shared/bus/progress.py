"""Detection of partitions that a consumer has stopped reading.

After a broker was away, aiokafka sometimes continues with most partitions and never fetches one
again, without an error (docs/decisions/014).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition


@dataclass(frozen=True)
class _Standing:
    """A partition that has more to read and has not been read since."""

    position: int
    since: float
    processed: int
    """Messages that the consumer had processed by then."""
    waiting: int
    """Messages that waited then, in all partitions."""


class Progress:
    """Repeated observations of a consumer, and the partitions that it skips."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._standing: dict[TopicPartition, _Standing] = {}
        self._processed = 0
        self._processed_at = 0.0
        """When a message was last found to have been processed."""

    def look(
        self,
        now: float,
        positions: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
        processed: int,
    ) -> list[TopicPartition]:
        """Return the skipped partitions; `now` is in seconds, `processed` counts messages.

        A skipped partition has had more to read for `patience` seconds, and the consumer processed
        either nothing in the last `patience` seconds, or since the start more messages than all
        partitions had waiting. A partition that waits for its turn, because others have much to
        read, is not skipped.
        """
        if processed != self._processed:
            self._processed, self._processed_at = processed, now
        behind = {p: ends[p] - at for p, at in positions.items() if ends.get(p, 0) > at}
        waiting = sum(behind.values())
        self._standing = {
            p: known
            if (known := self._standing.get(p)) and known.position == positions[p]
            else _Standing(positions[p], now, processed, waiting)
            for p in behind
        }
        return [
            p
            for p, standing in self._standing.items()
            if now - standing.since >= self._patience
            and (
                now - self._processed_at >= self._patience
                or processed - standing.processed > standing.waiting
            )
        ]
