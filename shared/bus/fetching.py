"""Fetches that cost a consumer little: handled in one pass, and seldom while nothing comes.

aiokafka names every partition in each fetch, and writes and reads them field by field. It has no
setting for that: parts of it are replaced that are not public.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from struct import Struct
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11, FetchResponse_v11

REST_GROWTH = 1.2
"""Factor by which the pause after an empty fetch grows, if there was none before it either."""
REST_LIMIT = 25
"""The longest of these pauses, as a multiple of the shortest."""
GATHER_LIMIT = 6
"""The longest pause after events, as a multiple of the shortest."""

# Version 11 of Fetch, the newest that aiokafka knows: https://kafka.apache.org/protocol.html.
_ASKED = Struct(">iiiibiii")
"""Replica, longest wait, fewest and most bytes, isolation, session and its epoch, topics."""
_ASKED_PARTITION = Struct(">iiqqi")
"""Partition, epoch of its leader, offset, first offset of its log, most bytes."""
_NOT_KNOWN = -1
_NO_SESSION = (0, -1)
_ANSWER = Struct(">ihii")
"""Milliseconds to wait, error, session, topics."""
_PARTITION = Struct(">ihqqqiii")
"""Partition, error, end, end of what is stable, first offset, number of aborted transactions, the
replica to prefer, length of the records. Aborted transactions come before the last two."""
_ABORTED = Struct(">qq")
_RECORDS = Struct(">ii")
"""The last two fields of a partition."""
_COUNT = Struct(">i")
_LENGTH = Struct(">h")


def fetch_sparingly(
    consumer: AIOKafkaConsumer, idle_poll_ms: int, processed: Callable[[], int]
) -> None:
    """Make the fetches of a started consumer cheap; pause between empty ones if told to.

    `idle_poll_ms` is the setting of this name: 0, or the shortest pause in milliseconds for a
    broker that answers fetches without events at once. aiokafka sends a fetch again as soon as it
    is answered, which with such a broker keeps a core busy, and a fetch costs as much as several
    events. So after some events the pause is the longer the more there were; after none, longer
    than the one before. `processed` returns the number of events that have been processed.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - see above
    fetch = fetcher._proc_fetch_request  # noqa: SLF001 - see above
    shortest = rest = idle_poll_ms / 1000
    before = processed()

    async def fetch_and_rest(assignment: Any, node: int, request: FetchRequest) -> bool:
        nonlocal rest, before
        found: bool = await fetch(assignment, node, _Fetch(request))
        arrived, before = processed() - before, processed()
        if found or not shortest:
            rest = shortest
            return found
        if arrived:
            rest = shortest * min(arrived, GATHER_LIMIT)
        else:
            rest = min(rest * REST_GROWTH, shortest * REST_LIMIT)
        with contextlib.suppress(asyncio.CancelledError):  # aiokafka's own end of a fetch
            await asyncio.sleep(rest)
        return False

    fetcher._proc_fetch_request = fetch_and_rest  # noqa: SLF001 - see above


class _Response(FetchResponse_v11):  # type: ignore[misc]
    """An answer without the partitions about which there is nothing to say."""

    @classmethod
    def decode(cls, data: BytesIO | bytes) -> "_Response":
        """Read the answer; raise ValueError or struct.error if it ends too early.

        Partitions about which there is only their end are left out: aiokafka would note it for
        `AIOKafkaConsumer.highwater`, which nothing here calls.
        """
        answer = data if isinstance(data, bytes) else data.read()
        wait, error, session, topics = _ANSWER.unpack_from(answer)
        at = _ANSWER.size
        told = []
        for _ in range(topics):
            (length,) = _LENGTH.unpack_from(answer, at)
            at += _LENGTH.size
            name = answer[at : at + length]
            at += length
            (partitions,) = _COUNT.unpack_from(answer, at)
            told_of_topic, at = _read_partitions(answer, at + _COUNT.size, partitions)
            if told_of_topic:
                told.append((name.decode(), told_of_topic))
        if at > len(answer):
            raise ValueError("The answer to a fetch ends too early")
        return cls(wait, error, session, told)


def _read_partitions(answer: bytes, at: int, count: int) -> tuple[list[Any], int]:
    """Return what the answer says of partitions from the position `at` on, and where that ends."""
    told = []
    for _ in range(count):
        (partition, error, end, stable, start, transactions, preferred, size) = (
            _PARTITION.unpack_from(answer, at)
        )
        at += _PARTITION.size
        if not error and size <= 0 and transactions <= 0 and preferred < 0:
            continue
        aborted: list[tuple[int, int]] = []
        if transactions > 0:
            first = at - _RECORDS.size
            at += transactions * _ABORTED.size
            after = at - _RECORDS.size
            aborted = [*_ABORTED.iter_unpack(answer[first:after])]
            preferred, size = _RECORDS.unpack_from(answer, after)
        records = answer[at : at + size] if size > 0 else b""
        told.append((partition, error, end, stable, start, aborted, preferred, records))
        at += max(size, 0)
    return told, at


class _Request(FetchRequest_v11):  # type: ignore[misc]
    """A fetch in the form in which it is sent."""

    RESPONSE_TYPE = _Response

    def __init__(self, written: bytes) -> None:
        self._written = written

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._written)} bytes)"

    def encode(self) -> bytes:
        return self._written


class _Fetch(FetchRequest):  # type: ignore[misc]
    """A fetch that is written in one pass to brokers that know version 11 (Kafka 2.3 and later)."""

    def __init__(self, request: FetchRequest) -> None:
        self.__dict__.update(request.__dict__)

    def build(self, request_struct_class: Any) -> Any:
        if request_struct_class is not FetchRequest_v11:
            return super().build(request_struct_class)
        limits = (self._max_wait_ms, self._min_bytes, self._max_bytes, self._isolation_level)
        parts = [_ASKED.pack(_NOT_KNOWN, *limits, *_NO_SESSION, len(self.topics))]
        pack = _ASKED_PARTITION.pack
        for topic, partitions in self.topics:
            parts += (_text(topic), _COUNT.pack(len(partitions)))
            for partition, offset, most in partitions:
                parts.append(pack(partition, _NOT_KNOWN, offset, _NOT_KNOWN, most))
        parts += (_COUNT.pack(0), _text(self._rack_id))  # 0 partitions to be left out of a session
        return _Request(b"".join(parts))


@cache
def _text(value: str) -> bytes:
    encoded = value.encode()
    return _LENGTH.pack(len(encoded)) + encoded
