"""Combine the reads, the writes or the transactions of callers that ask at the same moment.

For the driver, one small document costs nearly as much as fifty. So callers that ask while calls of
the store are under way wait for the next one and share it. A caller is answered by a call that
began after its own, so it reads all that was written before. A caller that is alone waits for
nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

AT_ONCE = 2
"""Usual number of concurrent calls: while one is on the wire, another is prepared."""
MOST = 500
"""Usual maximum number of keys in one call."""


class Coalescer(Generic[K, V]):
    """Values by key, from shared calls of `call`, which takes distinct keys and answers each."""

    def __init__(
        self,
        call: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        most: int = MOST,
        at_once: int = AT_ONCE,
    ) -> None:
        self._call = call
        self._most = most
        self._at_once = at_once
        self._context = copy_context()
        self._asked: dict[K, asyncio.Future[V]] = {}
        self._calling: set[object] = set()
        """The tasks that call, kept here because an event loop has only weak references."""

    async def get(self, key: K) -> V:
        """Return the present value of a key. Raises what the call raises, to all who share it."""
        value = self._asked.get(key)
        if value is None:
            value = self._asked[key] = asyncio.get_running_loop().create_future()
            if len(self._calling) < self._at_once:
                # In the context of the process: deadline, trace and log fields of the first caller
                # do not apply to the others.
                context = self._context.copy()
                self._calling.add(asyncio.create_task(self._answer_all(), context=context))
        return await asyncio.shield(value)  # a caller that gives up does not cancel the others

    async def _answer_all(self) -> None:
        try:
            while self._asked:
                await self._answer(list(self._asked)[: self._most])
        finally:
            # Here, and not when the task is done: a call in between would get no answer.
            self._calling.discard(asyncio.current_task())

    async def _answer(self, keys: Sequence[K]) -> None:
        asked = {key: self._asked.pop(key) for key in keys}
        try:
            values = await self._call(keys)
            found = [values[key] for key in keys]
        except Exception as error:  # noqa: BLE001 - raised to the callers
            for value in asked.values():
                value.set_exception(error)
                value.exception()  # all callers may have given up: then nobody retrieves it
        else:
            for value, each in zip(asked.values(), found, strict=True):
                value.set_result(each)
