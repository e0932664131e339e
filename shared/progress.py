"""Whether a consumer still reads all of its partitions.

After a broker was away, aiokafka at times goes on with most partitions and never fetches one again,
without a word (docs/decisions/014).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition


@dataclass(frozen=True)
class _Standing:
    """A partition that has more to read and was not read since."""

    position: int
    since: float
    taken_in: int
    """How many messages the consumer had taken in by then."""
    waiting: int
    """How many waited then, in all partitions."""


class Progress:
    """What is seen of a consumer from time to time, and which partitions it passes over."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._standing: dict[TopicPartition, _Standing] = {}

    def look(
        self,
        now: float,
        positions: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
        taken_in: int,
    ) -> list[TopicPartition]:
        """The partitions that are passed over; `now` in seconds, `taken_in` counts messages.

        Such a one has had more to read for as long as patience lasts, and meanwhile either nothing
        was taken in at all, or more than waited anywhere when that began. (A partition whose turn
        has not come, because others have much to read, is not passed over.)
        """
        behind = {p: ends[p] - at for p, at in positions.items() if ends.get(p, 0) > at}
        waiting = sum(behind.values())
        self._standing = {
            p: known
            if (known := self._standing.get(p)) and known.position == positions[p]
            else _Standing(positions[p], now, taken_in, waiting)
            for p in behind
        }
        return [
            p
            for p, standing in self._standing.items()
            if now - standing.since >= self._patience
            and not 0 < taken_in - standing.taken_in <= standing.waiting
        ]
