"""The databases of the services, for commands that work without their API."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.circulation.closures import store as closures_store
from services.circulation.rules.sweep import Sweep, SweepState
from services.events.calendars import store as calendars_store
from services.registry import NAMES
from services.settings import Settings
from shared.mongo import Database, connect
from shared.relay import outbox_age


@contextmanager
def databases_of(settings: Settings) -> Iterator[dict[str, Database]]:
    """Yield the database of each service by name, and close the connections at the end."""
    client = connect(settings.mongo_url)
    try:
        yield {service: client[f"{settings.database_prefix}_{service}"] for service in NAMES}
    finally:
        client.close()


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
