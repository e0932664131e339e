"""Work out again all fines that a change of a calendar or suspension may have lowered."""

from collections.abc import AsyncIterator
from datetime import date

from services.circulation import store
from services.circulation.domain.charge import Charge
from services.circulation.domain.rework import Rework, newly_closed
from services.circulation.usecases.commands.rework_fines import ReworkFines, rework_fines
from shared.mongo import Database
from shared.unit_of_work import Run

CHUNK = 50
"""Number of fines worked out again in one transaction."""


async def run_reworks(run: Run, on: date) -> int:
    """Run every wanted rework; return how many fines were lowered.

    It can be interrupted and run again, and several replicas may run it at once.
    """
    done = 0
    for rework in await store.reworks.find_wanted(run.database):
        chunk: list[str] = []
        async for charge in _charges_of(run.database, rework):
            chunk.append(charge.id)
            if len(chunk) == CHUNK:
                done += await run(rework_fines, ReworkFines(tuple(chunk), rework.id, on))
                chunk.clear()
        if chunk:
            done += await run(rework_fines, ReworkFines(tuple(chunk), rework.id, on))
        await run(store.reworks.finish, rework)
    return done


async def _charges_of(db: Database, rework: Rework) -> AsyncIterator[Charge]:
    """Yield the fines that the change may have lowered: at least all that it did."""
    calendars = await store.calendars.find(db)
    kind, which = rework.subject
    if kind == "branch":
        codes = {which}
        span = newly_closed(calendars[which], rework.settled)
    else:
        suspension = await store.suspensions.find_one(db, which)
        if suspension is None:
            return
        codes = {c for c, branch in calendars.items() if suspension.concerns(c, branch.kind)}
        span = suspension.first, suspension.last
    if span:
        async for charge in store.charges.find_fines_over(db, codes, *span):
            yield charge
