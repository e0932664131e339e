"""Commands that carry out use cases at the database of a service itself, as its routes would."""

import getpass
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from ops.console import refuse
from shared.mongo import Indexes, connect, ensure_indexes
from shared.owners import Owners
from shared.settings import Settings
from shared.unit_of_work import UnitOfWork, chassis_indexes


@asynccontextmanager
async def unit_of_work_at(
    settings: Settings, service: str, indexes: Indexes
) -> AsyncIterator[UnitOfWork]:
    """Carries out use cases on the database of `service`; its relay publishes their events."""
    client = connect(settings.mongo_url)
    owners = Owners(settings, service)
    try:
        database = client[f"{settings.database_prefix}_{service}"]
        await ensure_indexes(database, {**chassis_indexes(settings.outbox_days), **indexes})
        yield UnitOfWork(database, service, settings, owners)
    finally:
        await owners.close()
        client.close()


S = TypeVar("S", bound=Settings)


def with_card_key(settings: S, data: Path) -> S:
    """The settings with the key under which the running services know cards."""
    if settings.card_key:
        return settings
    kept = data / "secrets.json"
    if not kept.is_file():
        refuse(
            "The services know cards under a key: set CARREL_CARD_KEY to theirs, or give --data "
            "with the folder of `carrel up`."
        )
    return settings.model_copy(update={"card_key": json.loads(kept.read_text())["CARREL_CARD_KEY"]})


def who_runs_this() -> str:
    """What is recorded of who did it, where no account says so."""
    return f"carrel: {getpass.getuser()}"
