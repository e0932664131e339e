"""Events of one batch, handled together: their use cases share transactions.

Handlers and use cases know nothing of it (docs/decisions/185).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.bus.messages import Message
from shared.bus.subscriptions import Handler
from shared.contracts import Event
from shared.transactions import Outcome, Step
from shared.unit_of_work import Origin, Run, UnitOfWork

WITHIN_SECONDS = 30.0
"""Seconds for a transaction of one event, other writers' included."""
TOGETHER_SECONDS = 5.0
"""The same for one of several events, which are handled one by one after it."""


@dataclass(frozen=True)
class Call:
    """The handling of one message."""

    message: Message
    handler: Handler
    event: Event
    origin: Origin

    async def make(
        self,
        unit_of_work: UnitOfWork,
        execute: Callable[[Step], Awaitable[Outcome]] | None = None,
    ) -> None:
        """Call the handler; `execute` runs its use cases (None: each alone)."""
        event_id = self.origin.causation_id
        run = Run(unit_of_work, self.origin, inbox=event_id, within=WITHIN_SECONDS, execute=execute)
        with self.message.attached():
            await self.handler(self.event, run)


async def handle(unit_of_work: UnitOfWork, calls: Sequence[Call]) -> None:
    """Make all calls, those of messages with the same key one after the other, in their order.

    Raises the first error of a handler, when all others have ended. Safe to repeat.
    """
    if len(calls) == 1:
        await calls[0].make(unit_of_work)
        return
    by_key: dict[object, list[Call]] = {}
    for call in calls:
        by_key.setdefault(call.message.record.key, []).append(call)
    await _Batch(unit_of_work).handle(list(by_key.values()))


class _Batch:
    """Runs use cases of concurrent handlers in common transactions.

    A handler that runs a use case waits until each other handler does the same or has ended. Then
    these use cases run one after the other in one transaction, and the handlers go on.
    """

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work
        self._active = 0
        """The number of handlers that neither wait nor have ended."""
        self._waiting: dict[Step, asyncio.Future[Outcome]] = {}
        self._all_wait = asyncio.Event()

    async def handle(self, by_key: Sequence[Sequence[Call]]) -> None:
        """Make the calls of each key one after the other, those of different keys concurrently."""
        self._active = len(by_key)
        tasks = [asyncio.create_task(self._make(calls)) for calls in by_key]
        try:
            while True:
                await self._all_wait.wait()
                self._all_wait.clear()
                if not self._waiting:
                    break
                steps, self._waiting = self._waiting, {}
                self._active = len(steps)
                await self._run_all(steps)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ends:
            if isinstance(error, BaseException):
                raise error

    async def _make(self, calls: Sequence[Call]) -> None:
        try:
            for call in calls:
                await call.make(self._unit_of_work, self._execute)
        finally:
            self._one_less()

    def _one_less(self) -> None:
        self._active -= 1
        if not self._active:
            self._all_wait.set()

    async def _execute(self, step: Step) -> Outcome:
        """Run a use case together with those of the other handlers."""
        outcome = self._waiting[step] = asyncio.Future()
        self._one_less()
        return await outcome

    async def _run_all(self, steps: Mapping[Step, asyncio.Future[Outcome]]) -> None:
        try:
            outcomes = await self._unit_of_work.execute_all(list(steps), TOGETHER_SECONDS)
        except Exception as error:  # noqa: BLE001 - each handler raises it
            for outcome in steps.values():
                outcome.set_exception(error)
        else:
            for step, outcome in steps.items():
                outcome.set_result(outcomes[step])
