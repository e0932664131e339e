"""Log a service in, so that it can call the others."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from services.accounts import store
from services.accounts.domain.refusals import BadCredentials
from services.accounts.settings import Settings
from services.accounts.usecases.sign_token import SignedToken, current_key, sign
from services.registry import NAMES
from shared.assertions import Unproven, verified
from shared.mongo import Database

log = structlog.get_logger()


@dataclass(frozen=True)
class AdmitService:
    """A login of a service with an assertion, at `at` by the wall clock.

    Services of an earlier release have no assertion, but a secret that they shared.
    """

    assertion: str = field(repr=False)
    at: datetime
    service: str = ""
    secret: str = field(default="", repr=False)


async def admit_service(db: Database, settings: Settings, command: AdmitService) -> SignedToken:
    """Return a token with the role `service`. Raises BadCredentials, also for a used assertion."""
    if command.secret:
        service = _admitted_by_secret(settings, command)
    else:
        service = await _admitted(db, settings, command)
    secrets = settings.signing_secrets
    return sign(
        await current_key(db, secrets),
        secrets,
        sub=service,
        role="service",
        name=service,
        issued_at=command.at,
        lifetime=timedelta(hours=settings.token_hours("service")),
    )


async def _admitted(db: Database, settings: Settings, command: AdmitService) -> str:
    """Return the service that signed the assertion. Raises BadCredentials."""
    audience = settings.issuer.service
    try:
        proof = verified(command.assertion, settings.service_keys, audience, command.at)
    except Unproven:
        raise BadCredentials from None
    if not await store.assertions.use(db, proof):
        raise BadCredentials
    return proof.service


def _admitted_by_secret(settings: Settings, command: AdmitService) -> str:
    """Return the service of an earlier release that sent the shared secret. Raises BadCredentials.

    Only for the time of an update (docs/decisions/240): any service could pass for another.
    """
    expected = settings.former_service_secret.encode()
    known = command.service in NAMES and command.service != settings.issuer.service
    if not (expected and known and hmac.compare_digest(command.secret.encode(), expected)):
        raise BadCredentials
    log.warning("service of an earlier release", admitted=command.service)
    return command.service
