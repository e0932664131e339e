"""Assembly of the accounts service."""

from functools import partial
from typing import Any

from fastapi import FastAPI

from services.accounts import examples, snapshots
from services.accounts.cardholders import routes as cardholders_routes
from services.accounts.cardholders import store as cardholders_store
from services.accounts.family import jobs as family_jobs
from services.accounts.family import routes as family_routes
from services.accounts.family import store as family_store
from services.accounts.identity_provider import routes as identity_provider_routes
from services.accounts.identity_provider.clients import Provider
from services.accounts.keys import routes as keys_routes
from services.accounts.keys import store as keys_store
from services.accounts.keys.commands import can_sign, current_key, public_keys
from services.accounts.openid import consumers as openid_consumers
from services.accounts.openid import jobs as openid_jobs
from services.accounts.openid import store as openid_store
from services.accounts.openid.routes import pages as openid_pages
from services.accounts.openid.routes import protocol as openid_protocol
from services.accounts.passkeys import routes as passkeys_routes
from services.accounts.passkeys import store as passkeys_store
from services.accounts.patrons import consumers as patrons_consumers
from services.accounts.patrons import jobs as patrons_jobs
from services.accounts.patrons import store as patrons_store
from services.accounts.patrons.routes import applications as applications_routes
from services.accounts.patrons.routes import cards as cards_routes
from services.accounts.patrons.routes import notes as notes_routes
from services.accounts.patrons.routes import records as patrons_routes
from services.accounts.pins import jobs as pins_jobs
from services.accounts.pins import routes as pins_routes
from services.accounts.pins import store as pins_store
from services.accounts.preferences import consumers as preferences_consumers
from services.accounts.preferences import routes as preferences_routes
from services.accounts.preferences import store as preferences_store
from services.accounts.settings import Settings
from services.accounts.sign_in import routes as sign_in_routes
from services.accounts.sign_in import store as sign_in_store
from services.accounts.staff import routes as staff_routes
from services.accounts.staff import store as staff_store
from shared.auth import FetchKeys
from shared.bus.subscriptions import Subscriptions
from shared.clock import wall_clock
from shared.declared_indexes import Indexes
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.jobs import Jobs
from shared.mongo import Database

INDEXES: Indexes = {
    **cardholders_store.INDEXES,
    **preferences_store.INDEXES,
    **patrons_store.INDEXES,
    **sign_in_store.INDEXES,
    **pins_store.INDEXES,
    **passkeys_store.INDEXES,
    **family_store.INDEXES,
    **staff_store.INDEXES,
    **keys_store.INDEXES,
    **openid_store.INDEXES,
}
SUBSCRIPTIONS = Subscriptions(
    patrons_consumers.subscriptions,
    preferences_consumers.subscriptions,
    openid_consumers.subscriptions,
)
JOBS = Jobs(patrons_jobs.jobs, pins_jobs.jobs, family_jobs.jobs, openid_jobs.jobs)


def create_app(settings: Settings) -> FastAPI:
    """Create the service's ASGI app."""
    return create_service_app(
        Service(
            name="accounts",
            title="Accounts",
            routers=(
                patrons_routes.router,
                cardholders_routes.router,
                cards_routes.router,
                applications_routes.router,
                notes_routes.router,
                preferences_routes.router,
                family_routes.router,
                sign_in_routes.router,
                pins_routes.router,
                keys_routes.router,
                staff_routes.router,
                sign_in_routes.second_factors,
                pins_routes.own_pin,
                passkeys_routes.router,
                identity_provider_routes.router,
                openid_pages.router,
                openid_protocol.router,
            ),
            indexes=INDEXES,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=(
                *cardholders_store.PERSONAL,
                *preferences_store.PERSONAL,
                *patrons_store.PERSONAL,
                *pins_store.PERSONAL,
                *family_store.PERSONAL,
                *sign_in_store.PERSONAL,
                *passkeys_store.PERSONAL,
                *openid_store.PERSONAL,
            ),
            subscriptions=SUBSCRIPTIONS,
            examples=examples.EXAMPLES,
            jobs=JOBS,
            data_keys=(cardholders_store.card_key(settings.card_key),),
            keys=partial(_own_keys, settings.signing_secrets),
            state=_state,
            health={"signing key": _key_health},
        ),
        settings,
    )


def _state(app: FastAPI) -> None:
    app.state.identity_provider = Provider(app.state.settings)


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
