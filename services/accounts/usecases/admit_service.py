"""Log a service in, so that it can call the others."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.accounts.domain.refusals import BadCredentials
from services.accounts.settings import Settings
from services.accounts.usecases.sign_token import SignedToken, current_key, sign
from shared.mongo import Database


@dataclass(frozen=True)
class AdmitService:
    """A login of a service with the shared secret, at `at` by the wall clock."""

    service: str
    secret: str = field(repr=False)
    at: datetime


async def admit_service(db: Database, settings: Settings, command: AdmitService) -> SignedToken:
    """Return a token with the role `service`. Raises BadCredentials, also if no secret is set."""
    expected = settings.service_secret.encode()
    if not hmac.compare_digest(command.secret.encode(), expected) or not expected:
        raise BadCredentials
    secrets = settings.signing_secrets
    return sign(
        await current_key(db, secrets),
        secrets,
        sub=command.service,
        role="service",
        name=command.service,
        issued_at=command.at,
        lifetime=timedelta(hours=settings.token_hours("service")),
    )
