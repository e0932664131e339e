"""The databases of the services, for commands that work without their API."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.registry import NAMES
from services.settings import Settings
from shared.mongo import Database, connect


@contextmanager
def databases_of(settings: Settings) -> Iterator[dict[str, Database]]:
    """Yield the database of each service by name, and close the connections at the end."""
    client = connect(settings.mongo_url)
    try:
        yield {service: client[f"{settings.database_prefix}_{service}"] for service in NAMES}
    finally:
        client.close()
