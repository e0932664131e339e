"""Log a service in, so that it can call the others."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime

from services.accounts.domain.refusals import BadCredentials
from services.accounts.settings import Settings
from services.accounts.usecases.sign_token import Session, current_key, sign
from shared.mongo import Database


@dataclass(frozen=True)
class AdmitService:
    """A login of a service with the shared secret, at `at` by the wall clock."""

    service: str
    secret: str = field(repr=False)
    at: datetime


async def admit_service(db: Database, settings: Settings, command: AdmitService) -> Session:
    """Return a session with the role `service`. Raises BadCredentials, also if no secret is set."""
    expected = settings.service_secret.encode()
    if not hmac.compare_digest(command.secret.encode(), expected) or not expected:
        raise BadCredentials
    key = await current_key(db)
    return sign(
        key,
        sub=command.service,
        role="service",
        name=command.service,
        issued_at=command.at,
        hours=settings.token_hours("service"),
    )
