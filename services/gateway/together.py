"""One read for all who ask at the same moment.

To read one small document costs the driver nearly what it costs to read fifty. So those who ask
while reads are under way wait for the next one, and share it. Whoever asks is answered by a read
that began after they asked, so they see all that was written before; and who is alone waits for
nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

AT_ONCE = 2
"""Reads under way: while one is on the wire, another is put together."""
MOST = 500
"""Keys of one read."""


class Together(Generic[K, V]):
    """Values by key, from `read`: it is handed keys, each once, and has to answer each."""

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._asked: dict[K, asyncio.Future[V]] = {}
        self._reading: set[object] = set()
        """The tasks that read. Kept here: an event loop keeps none."""

    async def get(self, key: K) -> V:
        """The value of a key now. Raises what the read raises, to all who share it."""
        value = self._asked.get(key)
        if value is None:
            value = self._asked[key] = asyncio.get_running_loop().create_future()
            if len(self._reading) < AT_ONCE:
                # In a context of its own: deadline, trace and log fields of who asks first are
                # not those of the others.
                self._reading.add(asyncio.create_task(self._answer_all(), context=Context()))
        return await asyncio.shield(value)  # who gives up takes it from nobody else

    async def _answer_all(self) -> None:
        try:
            while self._asked:
                await self._answer(list(self._asked)[:MOST])
        finally:
            # Here, and not when the task is done: who asks in between would wait for nobody.
            self._reading.discard(asyncio.current_task())

    async def _answer(self, keys: Sequence[K]) -> None:
        asked = {key: self._asked.pop(key) for key in keys}
        try:
            values = await self._read(keys)
            found = [values[key] for key in keys]
        except Exception as error:  # noqa: BLE001 - it is theirs who asked
            for value in asked.values():
                value.set_exception(error)
                value.exception()  # who asked may have given up: then nobody looks at it
        else:
            for value, each in zip(asked.values(), found, strict=True):
                value.set_result(each)
