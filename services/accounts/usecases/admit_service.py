"""Log a service in, so that it can call the others."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.accounts import store
from services.accounts.domain.refusals import BadCredentials
from services.accounts.settings import Settings
from services.accounts.usecases.sign_token import SignedToken, current_key, sign
from shared.assertions import Unproven, verified
from shared.mongo import Database


@dataclass(frozen=True)
class AdmitService:
    """A login of a service with an assertion, at `at` by the wall clock."""

    assertion: str = field(repr=False)
    at: datetime


async def admit_service(db: Database, settings: Settings, command: AdmitService) -> SignedToken:
    """Return a token with the role `service`. Raises BadCredentials, also for a used assertion."""
    audience = settings.issuer.service
    try:
        proof = verified(command.assertion, settings.service_keys, audience, command.at)
    except Unproven:
        raise BadCredentials from None
    if not await store.assertions.use(db, proof):
        raise BadCredentials
    secrets = settings.signing_secrets
    return sign(
        await current_key(db, secrets),
        secrets,
        sub=proof.service,
        role="service",
        name=proof.service,
        issued_at=command.at,
        lifetime=timedelta(hours=settings.token_hours("service")),
    )
