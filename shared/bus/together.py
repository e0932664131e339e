"""Events of one batch, handled together: their use cases share transactions.

Handlers and use cases know nothing of it (docs/decisions/185).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pymongo
from opentelemetry.trace import Span, get_current_span

from shared.bus.messages import Message
from shared.bus.subscriptions import Handler
from shared.clock import wall_clock
from shared.contracts import Event
from shared.idempotency import IdempotencyKey
from shared.outbox import outbox_rows
from shared.telemetry import correlated
from shared.tracing import span, under
from shared.transactions import finished, transaction
from shared.unit_of_work import Origin, Run, UnitOfWork, UseCase, Work

WITHIN_SECONDS = 30.0
"""Seconds for a transaction of one event, other writers' included."""
TOGETHER_SECONDS = 5.0
"""The same for one of several events, which are handled one by one after it."""

Outcome = tuple[Any, list[Event]]
"""The result of a use case and the events that it recorded."""


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


@dataclass
class _Step:
    """A use case that waits for those of other events."""

    use_case: UseCase[Any, Any]
    command: Any
    origin: Origin
    inbox: str
    span: Span = field(default_factory=get_current_span)
    outcome: asyncio.Future[Outcome] = field(default_factory=asyncio.Future)


class _SharedTransactions(UnitOfWork):
    """Runs use cases of concurrent handlers in common transactions.

    A handler that runs a use case waits until each other handler does the same or has ended. Then
    these use cases run one after the other in one transaction, and the handlers go on.
    """

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        vars(self).update(vars(unit_of_work))  # the same threads and turns
        self._active = 0
        """The number of handlers that neither wait nor have ended."""
        self._waiting: list[_Step] = []
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
                steps, self._waiting = self._waiting, []
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
        step = _Step(use_case, command, origin, inbox)
        self._waiting.append(step)
        self._one_less()
        return await step.outcome

    async def _run_all(self, steps: Sequence[_Step]) -> None:
        deadline = time.monotonic() + TOGETHER_SECONDS
        try:
            # The timeout covers all the driver's calls together.
            with pymongo.timeout(TOGETHER_SECONDS):
                outcomes = await self._until_committed(
                    "together",
                    lambda waited_for: self._attempt_all(steps, deadline, waited_for),
                    deadline,
                )
        except Exception as error:  # noqa: BLE001 - each handler raises it
            for step in steps:
                step.outcome.set_exception(error)
        else:
            if any(events for _, events in outcomes):
                self.event_commits.add()
            for step, outcome in zip(steps, outcomes, strict=True):
                step.outcome.set_result(outcome)

    def _attempt_all(
        self, steps: Sequence[_Step], deadline: float, waited_for: Callable[[], bool]
    ) -> list[Outcome]:
        store = self._store
        outcomes: list[Outcome] = []
        rows = []
        with transaction(store, deadline, waited_for) as session:
            ids = {"$in": [step.inbox for step in steps]}
            known = {row["_id"] for row in store["inbox"].find({"_id": ids}, session=session)}
            new = [step for step in steps if step.inbox not in known]
            if not new:
                return [(None, []) for _ in steps]  # commits, as for one event
            for step in steps:
                if step.inbox in known:
                    outcomes.append((None, []))
                    continue
                work = Work(store, session, step.origin)
                ids_of_step = (step.origin.correlation_id, step.origin.causation_id)
                with (
                    correlated(step.origin.correlation_id),
                    under(step.span),
                    span(step.use_case.__name__),
                ):
                    result = finished(step.use_case(work, step.command))
                    now = step.origin.now
                    rows += outbox_rows(work.recorded, self.service, now, *ids_of_step)
                outcomes.append((result, work.recorded))
            at = wall_clock()
            store.insert("inbox", [{"_id": step.inbox, "at": at} for step in new], session)
            # Last, as for one event.
            if rows:
                store.insert("outbox", rows, session)
        return outcomes
