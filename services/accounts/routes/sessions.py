"""Sessions: log in with a card and a PIN, or as a service."""

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.accounts.domain.refusals import BadCredentials, Locked
from services.accounts.routes.fields import OwnSettings, Secret
from services.accounts.usecases.admit_service import AdmitService, admit_service
from services.accounts.usecases.log_in import LogIn, log_in
from services.accounts.usecases.sign_token import Session
from services.registry import NAMES
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.dependencies import Db
from shared.ids import card_digest
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

if TYPE_CHECKING:
    ServiceName = str
else:
    ServiceName = Literal[NAMES]


class SessionIn(Body):
    """A card and its PIN."""

    card_number: str = Field(min_length=1, max_length=64)
    pin: Secret = Field(min_length=1, max_length=64)


class ServiceSessionIn(Body):
    """The name of a service and the secret that the services share."""

    service: ServiceName
    secret: Secret = Field(max_length=200)


class SessionOut(BaseModel):
    """A token to send as `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind, not a secret
    expires_in: int = Field(description="Lifetime of the token, in seconds.")
    patron_id: str | None = Field(
        description="Id of the patron; null: the token is for staff, a station, an operator or a "
        "service."
    )
    roles: list[str]

    @classmethod
    def of(cls, session: Session) -> "SessionOut":
        """Build the response from a session."""
        return cls(
            access_token=session.access_token,
            expires_in=session.expires_in,
            patron_id=session.patron_id,
            roles=list(session.roles),
        )


@router.post("/sessions", tags=["sessions"])
@refuses(BadCredentials, Locked)
async def post_session(body: SessionIn, db: Db, settings: OwnSettings) -> SessionOut:
    """Log in."""
    # Not through `run`: a repeated login is a new attempt, even with the same Idempotency-Key.
    attempt = LogIn(
        card_digest=card_digest(body.card_number, settings.card_key),
        pin=body.pin.get_secret_value(),
        at=wall_clock(),
    )
    return SessionOut.of(await log_in(db, settings, attempt))


@router.post("/service-sessions", tags=["sessions"])
@refuses(BadCredentials)
async def post_service_session(body: ServiceSessionIn, db: Db, settings: OwnSettings) -> SessionOut:
    """Log in as a service."""
    attempt = AdmitService(body.service, body.secret.get_secret_value(), at=wall_clock())
    return SessionOut.of(await admit_service(db, settings, attempt))
