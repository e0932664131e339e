"""Log-ins of staff at the library's identity provider, and the accounts that they open."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.accounts.fields import OwnSettings, PathId, ProviderLogin, Secret
from services.accounts.identity_provider import refusals
from services.accounts.identity_provider.clients import Provider
from services.accounts.identity_provider.commands import (
    LogInAtProvider,
    address_to_log_in,
    address_to_log_out,
    log_in_at_provider,
)
from services.accounts.passkeys.routes import BrowserIn
from services.accounts.refusals import NoSuchAccount
from services.accounts.sign_in.refusals import AccountDisabled, StrangersWait
from services.accounts.sign_in.routes import SessionOut
from services.accounts.sign_in.rules import LONGEST_TOKEN
from services.accounts.staff.commands import link_provider, unlink_provider
from services.accounts.staff.refusals import LoginTaken, OwnAccount, SecondPersonNeeded
from services.accounts.staff.routes import StaffOut, manager
from shared.auth import Administrator
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.client_address import client_address, is_crowded
from shared.http.dependencies import Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class ProviderAddressOut(BaseModel):
    """The address at the identity provider to which a browser goes on."""

    address: str | None = Field(description="null: there is none.")


class ProviderSessionIn(BrowserIn):
    """The answer of the identity provider, as the browser has brought it."""

    state: Secret = Field(max_length=300)
    code: Secret = Field(min_length=1, max_length=6000)
    issuer: str = Field(
        default="", max_length=500, description="`iss` of the answer; empty: it has none."
    )
    device_token: Secret | None = Field(
        default=None,
        max_length=LONGEST_TOKEN,
        description="The `device_token` of the last log-in on this device, with any card.",
    )


class ProviderLinkIn(Body):
    """A log-in at the identity provider."""

    provider_login: ProviderLogin = Field(
        description="The user name, the confirmed e-mail address or the `sub` there."
    )


def _provider(request: Request) -> Provider:
    provider: Provider = request.app.state.identity_provider
    return provider


@router.post("/sessions/provider-request", tags=["sessions"])
@refuses(refusals.NoProvider, refusals.ProviderAway)
async def post_provider_request(
    body: BrowserIn, request: Request, settings: OwnSettings
) -> ProviderAddressOut:
    """Ask for the address at the identity provider where staff log in. Nothing is stored.

    Its answer is accepted once, within ten minutes, from the same browser.
    """
    browser = body.browser.get_secret_value()
    address = await address_to_log_in(settings, _provider(request), browser, wall_clock())
    return ProviderAddressOut(address=address)


@router.post("/sessions/provider", tags=["sessions"])
@refuses(
    *(
        refusals.BadProviderLogIn,
        refusals.NoLinkedAccount,
        refusals.NoRoleGiven,
        refusals.ProviderFactorNeeded,
        refusals.ProviderAway,
        refusals.NoProvider,
    ),
    *(AccountDisabled, StrangersWait),
)
async def post_provider_session(
    body: ProviderSessionIn, request: Request, run: Run, settings: OwnSettings
) -> SessionOut:
    """Log in with the answer of the identity provider.

    It opens the account of staff that an administrator has linked. With CARREL_STAFF_GROUPS the
    session has of the account's rights those that its groups there give.
    """
    attempt = LogInAtProvider(
        at=wall_clock(),
        address=client_address(request.scope),
        device_token=body.device_token.get_secret_value() if body.device_token else "",
        only_known_devices=is_crowded(request.scope),
        browser=body.browser.get_secret_value(),
        state=body.state.get_secret_value(),
        code=body.code.get_secret_value(),
        issuer=body.issuer,
    )
    return SessionOut.of(await log_in_at_provider(run, settings, _provider(request), attempt))


@router.get("/sessions/provider-log-out", tags=["sessions"])
@refuses(refusals.NoProvider)
async def get_provider_log_out(request: Request, settings: OwnSettings) -> ProviderAddressOut:
    """Get the address at which a browser logs out of the identity provider, if it has one."""
    return ProviderAddressOut(address=await address_to_log_out(settings, _provider(request)))


@router.put("/staff/{staff_id}/provider-login", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, SecondPersonNeeded, LoginTaken)
async def put_provider_login(
    staff_id: PathId, body: ProviderLinkIn, caller: Administrator, run: Run
) -> StaffOut:
    """Link an account with its own e-mail address at the identity provider; its sessions end.

    For another log-in, or for a contact tracer, an administrator or an operator, ask a second
    person: `POST /v1/staff-requests`. From the first log-in on the link is bound to its `sub`.
    """
    linked = await run(link_provider, staff_id, body.provider_login, manager(caller))
    return StaffOut.of(linked)


@router.delete("/staff/{staff_id}/provider-login", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount)
async def delete_provider_login(staff_id: PathId, caller: Administrator, run: Run) -> StaffOut:
    """Let no log-in at the identity provider open an account. All its sessions end at once."""
    return StaffOut.of(await run(unlink_provider, staff_id, manager(caller)))
