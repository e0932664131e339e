"""Routes for the pages: requests of clients, and what a patron lets them learn."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.accounts.fields import OwnSettings, PathId
from services.accounts.openid.commands.grants import (
    Authorize,
    Decision,
    Needs,
    Outcome,
    authorize,
    given_to,
    take_away,
    without_session,
)
from services.accounts.openid.commands.log_out import asked_log_out, hinted
from services.accounts.openid.refusals import NoSuchClient, WrongAddress
from services.accounts.openid.rules import CODE, CODE_LASTS, answer_at, expiry, token
from services.accounts.settings import Settings
from services.accounts.sign_in.refusals import SessionEnded
from shared.auth import Patron
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["clients"])

Parameters = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=60)],
        Annotated[str, StringConstraints(max_length=2000)],
    ],
    Field(max_length=50, description="The parameters of the client's request, by name."),
]


class RequestIn(Body):
    """A request that a client has sent with the browser of a patron."""

    parameters: Parameters


class DecisionIn(RequestIn):
    """The same with the patron's decision."""

    decision: Decision | None = Field(
        default=None, description="Null: the patron was not asked yet."
    )


class OutcomeOut(BaseModel):
    """The outcome of a request: an answer to the client, or a step before."""

    client_name: str
    scopes: tuple[str, ...] = Field(description="Scopes that the client asks for and may have.")
    needs: Needs | None = Field(description="Step that the patron takes first; null: none.")
    redirect_uri: str | None = Field(
        description="Address to go on to, with the answer to the client; null: a step comes first."
    )

    @classmethod
    def of(cls, outcome: Outcome, asked: dict[str, str], settings: Settings) -> Self:
        """Build the response from an outcome."""
        answer, grant = outcome.fault, outcome.grant
        if grant is not None:
            expires = expiry(wall_clock(), CODE_LASTS)
            answer = {"code": token(CODE, grant, expires, settings.renewal_keys)}
        uri = answer and answer_at(asked["redirect_uri"], settings.openid_issuer, asked, answer)
        return cls(
            client_name=outcome.client.name,
            scopes=outcome.scopes,
            needs=outcome.needs,
            redirect_uri=uri or None,
        )


class AuthorizationOut(BaseModel):
    """The facts that a patron lets a client learn, by scope."""

    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    given_at: datetime


class AuthorizationsOut(BaseModel):
    """The clients that learn something of a patron."""

    items: list[AuthorizationOut]


class LogOutOut(BaseModel):
    """A request to log out."""

    client_name: str | None = Field(description="Null: the client is not known.")
    redirect_uri: str | None = Field(
        description="Registered address to go on to after the log-out; null: none."
    )


@router.post("/authorization-checks")
@refuses(NoSuchClient, WrongAddress)
async def post_check(body: RequestIn, db: Db, settings: OwnSettings) -> OutcomeOut:
    """Check a client's request before the patron logs in.

    A refusal means that nothing may be sent to the address that the request names.
    """
    return OutcomeOut.of(await without_session(db, body.parameters), body.parameters, settings)


@router.post("/me/authorizations")
@refuses(NoSuchClient, WrongAddress, SessionEnded)
async def post_authorization(
    body: DecisionIn, caller: Patron, run: Run, settings: OwnSettings
) -> OutcomeOut:
    """Decide on a client's request; the answer has a code for the client, or the next step."""
    asked, now = body.parameters, wall_clock()
    hint = await hinted(run.database, settings, asked, now)
    expected = str(hint.get("sub", ""))
    command = Authorize(asked, caller.id, caller.session_id, body.decision, now, expected)
    return OutcomeOut.of(await run.in_steps()(authorize, command), asked, settings)


@router.get("/me/authorizations")
async def get_authorizations(caller: Patron, db: Db) -> AuthorizationsOut:
    """List the services of others that the patron logs in to with the library account."""
    items: list[dict[str, Any]] = [
        {
            "client_id": client.id,
            "client_name": client.name,
            "scopes": consent.scopes,
            "given_at": consent.given_at,
        }
        for client, consent in await given_to(db, caller.id)
    ]
    return AuthorizationsOut.model_validate({"items": items})


@router.delete("/me/authorizations/{client_id}", status_code=204)
@refuses(NoSuchClient)
async def delete_authorization(client_id: PathId, caller: Patron, run: Run) -> None:
    """Take away what a client may learn; all its tokens of this patron end at once."""
    await run(take_away, client_id, caller.id, wall_clock())


@router.post("/log-out-checks")
async def post_log_out_check(body: RequestIn, db: Db, settings: OwnSettings) -> LogOutOut:
    """Return who asks a patron to log out, and where they may go on."""
    client, uri = await asked_log_out(db, settings, body.parameters, wall_clock())
    return LogOutOut(client_name=client.name if client else None, redirect_uri=uri)
