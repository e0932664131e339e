"""Events of one batch, handled together: their use cases share transactions.

Handlers and use cases know nothing of it (docs/decisions/185).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pymongo

from shared.bus.messages import Message
from shared.bus.subscriptions import Handler
from shared.contracts import Event
from shared.idempotency import IdempotencyKey
from shared.step import Outcome, Step, run_step, store_ends
from shared.tracing import span
from shared.transactions import transaction
from shared.unit_of_work import Origin, Run, UnitOfWork, UseCase, Work

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

    async def make(self, unit_of_work: UnitOfWork) -> None:
        """Call the handler; its use cases run in this unit of work."""
        event_id = self.origin.causation_id
        run = Run(unit_of_work, self.origin, inbox=event_id, within=WITHIN_SECONDS)
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
    await _SharedTransactions(unit_of_work).handle(list(by_key.values()))


class _SharedTransactions(UnitOfWork):
    """Runs use cases of concurrent handlers in common transactions.

    A handler that runs a use case waits until each other handler does the same or has ended. Then
    these use cases run one after the other in one transaction, and the handlers go on.
    """

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        vars(self).update(vars(unit_of_work))  # the same threads and turns
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
                await call.make(self)
        finally:
            self._one_less()

    def _one_less(self) -> None:
        self._active -= 1
        if not self._active:
            self._all_wait.set()

    async def run(
        self,
        use_case: UseCase[Any, Any],
        command: Any,
        origin: Origin,
        *,
        idempotency_key: IdempotencyKey | None = None,
        inbox: str | None = None,
        within: float = WITHIN_SECONDS,
    ) -> Outcome:
        """Run a use case together with those of the other handlers; without `inbox` alone."""
        if inbox is None:
            key = idempotency_key
            return await super().run(use_case, command, origin, idempotency_key=key, within=within)
        with span(use_case.__name__):
            step = Step(use_case, command, origin, time.monotonic() + within, inbox=inbox)
            outcome = self._waiting[step] = asyncio.Future()
            self._one_less()
            return await outcome

    async def _run_all(self, steps: Mapping[Step, asyncio.Future[Outcome]]) -> None:
        deadline = time.monotonic() + TOGETHER_SECONDS
        try:
            # The timeout covers all the driver's calls together.
            with pymongo.timeout(TOGETHER_SECONDS):
                outcomes = await self._until_committed(
                    "together",
                    lambda waited_for: self._attempt_all(list(steps), deadline, waited_for),
                    deadline,
                )
        except Exception as error:  # noqa: BLE001 - each handler raises it
            for outcome in steps.values():
                outcome.set_exception(error)
        else:
            if any(events for _, events in outcomes.values()):
                self.event_commits.add()
            for step, outcome in steps.items():
                outcome.set_result(outcomes.get(step, (None, [])))

    def _attempt_all(
        self, steps: Sequence[Step], deadline: float, waited_for: Callable[[], bool]
    ) -> dict[Step, Outcome]:
        """Return the outcomes of the new events, in one transaction."""
        store = self._store
        with transaction(store, deadline, waited_for) as session:
            ids = {"$in": [step.inbox for step in steps]}
            known = {row["_id"] for row in store["inbox"].find({"_id": ids}, session=session)}
            new = [step for step in steps if step.inbox not in known]
            ends = [run_step(one, Work(store, session, one.origin), self.service) for one in new]
            store_ends(store, ends, session)  # if none is new, it commits, as for one event
        return {step: ended.outcome for step, ended in zip(new, ends, strict=True)}
