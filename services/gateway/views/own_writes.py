"""Write the changes of commands to the account views before the client is answered.

A slow store may not accept a change in time. Such changes are held in memory: a background task
retries until they are written, and this replica shows no account without its held changes.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pymongo
import structlog
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from services.gateway.views import ended_sessions
from services.gateway.views.projection import fold
from services.gateway.views.store import writes
from services.gateway.views.store.memory import last_served, note_written
from services.gateway.views.store.schema import Change, Erasure, SessionEnd, ViewChange
from shared.coalescer import Coalescer
from shared.contracts import published
from shared.deadlines import allowed
from shared.mongo import Document

log = structlog.get_logger()

FOLLOWS = {"Carrel-Account": "follows"}
"""Headers of a response whose changes are not yet visible at every replica."""
AGAIN_SECONDS = 0.5
WRITE_SECONDS = 1.5
"""Seconds for a shared write. Its callers may give up before."""
MOST_CHANGED = 50_000
"""Number of patrons whose last own change is remembered: those of minutes of the greatest load."""
MOST_HELD = 10_000
"""Maximum number of held changes; older ones arrive by Kafka only."""


_Titles = Mapping[str, Document | None]
"""The titles that a write showed, by id; see `writes.write`."""


@dataclass(frozen=True, eq=False)
class _Command:
    """The changes of one command."""

    changes: Sequence[Change]


class OwnWrites:
    """Changes that this process still has to write, oldest first."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._together: Coalescer[_Command, _Titles] = Coalescer(self._write_all)
        self._held: list[Change] = []
        self._writing = asyncio.Lock()
        self._waiting = asyncio.Event()
        self._changed: OrderedDict[str, float] = OrderedDict()
        """When a command last changed an account, by patron, by the monotonic clock."""

    async def write(self, changes: Sequence[Any], at: datetime, *, within: float) -> bool:
        """Write a command's changes to the views; return False if that fails or takes too long.

        Changes that the store did not accept `within` seconds are held, and those of a request that
        is cancelled meanwhile: nobody waits for their write any more, and it may fail.
        """
        try:
            folded = _folded(changes, at)
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            log.warning("changes not read", count=len(changes), error=type(error).__name__)
            return False
        if not folded:
            return True
        # This replica refuses the tokens now, even if the store can't be written.
        ended_sessions.refuse(
            self._app, [change for change in folded if isinstance(change, SessionEnd)]
        )
        database = self._app.state.database
        served = last_served(database)
        patrons = {one.patron_id for one in folded if isinstance(one, ViewChange | Erasure)}
        try:
            async with asyncio.timeout(within):
                shown = await self._together.get(_Command(folded))
        except (PyMongoError, TimeoutError) as error:
            self._hold(folded, error)
            return False
        except asyncio.CancelledError as error:
            self._hold(folded, error)
            raise
        finally:
            for patron_id in patrons:  # what was read until now may lack these changes
                self._note_change(patron_id)
        note_written(database, folded, served, shown)
        return True

    def _hold(self, changes: Sequence[Change], error: BaseException) -> None:
        log.warning("changes held", count=len(changes), error=type(error).__name__)
        self._held = [*self._held, *changes][-MOST_HELD:]
        self._waiting.set()

    async def _write_all(self, commands: Sequence[_Command]) -> Mapping[_Command, _Titles]:
        """Write the changes of commands that wait at the same moment; return the titles shown."""
        changes = [change for command in commands for change in command.changes]
        with pymongo.timeout(allowed(WRITE_SECONDS)):
            shown = await writes.write(self._app.state.database, changes)
        return dict.fromkeys(commands, shown)

    def holds(self, patron_id: str) -> bool:
        """Return whether this process holds a change that the patron's view lacks."""
        return any(
            isinstance(change, ViewChange | Erasure) and change.patron_id == patron_id
            for change in self._held
        )

    def has_changed(self, patron_id: str, since: float) -> bool:
        """Return whether a command here changed the account since a read of it began.

        `since` is a time of the monotonic clock.
        """
        return self.holds(patron_id) or self._changed.get(patron_id, since - 1) >= since

    def _note_change(self, patron_id: str) -> None:
        self._changed[patron_id] = time.monotonic()
        self._changed.move_to_end(patron_id)
        if len(self._changed) > MOST_CHANGED:
            self._changed.popitem(last=False)

    async def write_held_of(self, patron_id: str) -> None:
        """Write all held changes if any of them belongs to this patron."""
        if self.holds(patron_id):
            await self.write_held()

    async def write_held(self) -> None:
        """Write all held changes. Raises what the driver raises; the changes are then held on."""
        async with self._writing:
            held = self._held
            if held:
                await writes.apply(self._app.state.database, held)
                written = {id(change) for change in held}
                self._held = [change for change in self._held if id(change) not in written]
            if not self._held:
                self._waiting.clear()

    async def keep_writing(self) -> None:
        """Retry to write held changes, until cancelled."""
        while True:
            await self._waiting.wait()
            try:
                with pymongo.timeout(10.0):
                    await self.write_held()
            except PyMongoError as error:
                log.warning("changes still held", error=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)


async def keep_writing(app: FastAPI) -> None:
    """Retry to write the changes that a slow store did not accept, until cancelled."""
    own_writes: OwnWrites = app.state.own_writes
    await own_writes.keep_writing()


def _folded(changes: Sequence[Any], at: datetime) -> list[Change]:
    contracts = published()
    return [
        _as_recorded(each, change.get("recorded_at"))
        for change in changes
        if (contract := contracts.get(change["topic"])) is not None
        for each in fold(contract.model_validate(change["data"]), at)
    ]


def _as_recorded(change: Change, at: str | None) -> Change:
    """Return a change with the time at which a first run of its request recorded it, if given."""
    return change if at is None else replace(change, recorded_at=datetime.fromisoformat(at))
