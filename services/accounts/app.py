"""Assembly of the accounts service."""

from functools import partial
from typing import Any

from fastapi import FastAPI

from services.accounts import consumers, examples, jobs, routes, snapshots, store
from services.accounts.domain.refusals import Refusal
from services.accounts.queries import card_key_of
from services.accounts.settings import Settings
from services.accounts.usecases.publish_keys import public_keys
from services.accounts.usecases.seal_key import can_sign
from services.accounts.usecases.sign_token import current_key
from shared.auth import FetchKeys
from shared.clock import wall_clock
from shared.data_keys import DataKey
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.mongo import Database
from shared.settings import load

JOBS = jobs.jobs


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the service's ASGI app; the settings default to those of the environment."""
    settings = settings or load(Settings)
    return create_service_app(
        Service(
            name="accounts",
            title="Accounts",
            routers=routes.ROUTERS,
            indexes=store.INDEXES,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=store.PERSONAL,
            refusal=Refusal,
            subscriptions=consumers.subscriptions,
            examples=examples.EXAMPLES,
            jobs=JOBS,
            data_keys=(
                DataKey(
                    "CARREL_CARD_KEY", settings.card_key, partial(card_key_of, settings.card_key)
                ),
            ),
            keys=partial(_own_keys, settings.signing_secrets),
            health={"signing key": _key_health},
        ),
        settings,
    )


def _own_keys(secrets: str, database: Database) -> FetchKeys:
    async def fetch() -> dict[str, Any]:
        return dict(await public_keys(database, wall_clock(), secrets))

    return fetch


async def _key_health(app: FastAPI) -> tuple[bool, str]:
    """Return whether this process can sign tokens."""
    secrets = app.state.settings.signing_secrets
    if can_sign(await current_key(app.state.database, secrets), secrets):
        return True, "ok"
    return False, "CARREL_SIGNING_SECRETS lacks the secret that sealed the signing key"
