"""Work that the databases still hold: events to publish, and what has to follow calendars.

It reads the databases of services: commands need this also while their API is away or refuses them.
"""

from ops.databases import databases_of
from services.circulation.closures import store as closures_store
from services.circulation.rules.sweep import Sweep, SweepState
from services.events.calendars import store as calendars_store
from services.settings import Settings
from shared.mongo import Database
from shared.relay import outbox_age


async def outbox_ages(settings: Settings) -> dict[str, float]:
    """Return the seconds that each service's oldest pending row has waited; 0 if none waits."""
    with databases_of(settings) as databases:
        return {name: round(await outbox_age(one), 3) for name, one in databases.items()}


async def sweeps_of(settings: Settings) -> list[Sweep]:
    """Return the last sweep of every branch."""
    with databases_of(settings) as databases:
        return await closures_store.find_sweeps(databases["circulation"])


async def branches_to_move(database: Database) -> list[str]:
    """Return the branches whose due dates or holds in circulation's database have still to move."""
    return [
        sweep.id
        for sweep in await closures_store.find_sweeps(database)
        if sweep.state is SweepState.MOVING
    ]


async def rooms_to_settle(database: Database) -> list[str]:
    """Return the branches whose study rooms in events' database do not follow their calendars."""
    return sorted(await calendars_store.find_unsettled(database))
