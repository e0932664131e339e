"""Assembly of the accounts service."""

from typing import Any

from fastapi import FastAPI

from services.accounts import consumers, examples, jobs, routes, snapshots, store
from services.accounts.domain.refusals import Refusal
from services.accounts.settings import Settings
from services.accounts.usecases.publish_keys import public_keys
from shared.auth import FetchKeys
from shared.clock import wall_clock
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.mongo import Database
from shared.settings import load


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the service's ASGI app; the settings default to those of the environment."""
    return create_service_app(
        Service(
            name="accounts",
            title="Accounts",
            routers=(routes.router,),
            indexes=store.INDEXES,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=store.PERSONAL,
            refusal=Refusal,
            subscriptions=consumers.subscriptions,
            examples=examples.EXAMPLES,
            jobs=jobs.jobs,
            keys=_own_keys,
        ),
        settings or load(Settings),
    )


def _own_keys(database: Database) -> FetchKeys:
    async def fetch() -> dict[str, Any]:
        return dict(await public_keys(database, wall_clock()))

    return fetch
