"""Accounts of staff, stations, contact tracers, administrators and operators.

Two rights cover them (services/accounts/staff/rules.py): an administrator manages the accounts of
staff and machines, an operator also those of administrators and operators. Nobody chooses or learns
the PIN of somebody else. What gives somebody access to the account of a contact tracer, an
administrator or an operator, and another e-mail address of any account, needs two persons who may
manage the account: one asks, and another one agrees. Both are recorded in the audit trail.
"""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import StaffRole
from services.accounts.fields import (
    CardNumber,
    Name,
    OwnSettings,
    PathId,
    ProviderLogin,
    Secret,
    digest_of,
)
from services.accounts.pins.refusals import NoStaffAddress
from services.accounts.refusals import CardTaken, NoSuchAccount
from services.accounts.staff import store
from services.accounts.staff.commands import (
    AddStaff,
    AskToChange,
    NewAccount,
    add_staff,
    agree,
    ask_to_add,
    ask_to_change,
    change_role,
    disable_staff,
    enable_staff,
    end_request,
    remove_factor,
    remove_staff,
    reset_staff_pin,
)
from services.accounts.staff.refusals import (
    LoginTaken,
    NoSuchRequest,
    OwnAccount,
    OwnRequest,
    PinNotAccepted,
    RoleNotAllowed,
    SecondPersonNeeded,
)
from services.accounts.staff.rules import Act, Manager, StaffAccount, StaffRequest
from shared.auth import Administrator, Caller
from shared.clock import wall_clock
from shared.email_address import EmailAddress
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.http.paging import PageQuery, page_of
from shared.ids import card_digest
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

_NEEDED = {
    "add": {"card_number", "name", "role", "email"},
    "role": {"staff_id", "role"},
    "email": {"staff_id", "email"},
    "provider": {"staff_id", "provider_login"},
}
"""The fields of each act; the other acts have the id of the account only."""


class StaffIn(Body):
    """A new account of staff, a station, a contact tracer, an administrator or an operator."""

    card_number: CardNumber
    name: Name
    role: StaffRole
    email: EmailAddress = Field(
        description="Address of the holder, or of whoever sets up a station. A code to choose a "
        "PIN is sent there."
    )
    pin: Secret | None = Field(
        default=None, max_length=64, deprecated=True, description="No longer accepted."
    )


class RoleIn(Body):
    """The new role of an account."""

    role: StaffRole


class StaffPinIn(Body):
    """A PIN is no longer accepted: the holder chooses it."""

    pin: Secret | None = Field(
        default=None, max_length=64, deprecated=True, description="No longer accepted."
    )


class RemovalIn(Body):
    """The card of an account to remove."""

    card_number: CardNumber


class StaffOut(BaseModel):
    """An account of staff, a station, a contact tracer, an administrator or an operator."""

    id: str
    card_number: str
    name: str
    role: StaffRole
    disabled_at: datetime | None = Field(
        description="Instant from which its holder may not log in; null: they may."
    )
    second_factor: bool = Field(description="Whether a log-in needs a code from an app.")
    email: str | None = Field(
        default=None, description="Address to which a code to choose a PIN is sent."
    )
    has_pin: bool = Field(
        default=True, description="False until the holder has chosen a PIN with the code."
    )
    provider_login: str | None = Field(
        default=None, description="Log-in at the identity provider that opens the account."
    )
    provider_used: bool = Field(
        default=False, description="Whether it was used: only that very log-in opens it from then."
    )

    @classmethod
    def of(cls, account: StaffAccount) -> "StaffOut":
        """Build the response from an account."""
        return cls.model_validate(account, from_attributes=True)


class StaffPage(BaseModel):
    """A page of accounts."""

    items: list[StaffOut]
    next: str | None


def manager(caller: Caller) -> Manager:
    """Return the caller as a manager of accounts."""
    return Manager(caller.id, caller.rights)


@router.get("/staff", tags=["staff"])
async def get_staff_list(caller: Administrator, db: Db, page: PageQuery) -> StaffPage:
    """List the accounts that the caller may manage, the first created first."""
    roles = manager(caller).roles
    found = await store.find_accounts(db, roles, page.after, page.limit + 1)
    listed: dict[str, Any] = page_of(list(found), page, lambda account: account.id)
    return StaffPage(items=[StaffOut.of(one) for one in listed["items"]], next=listed["next"])


@router.get("/staff/{staff_id}", tags=["staff"])
@refuses(NoSuchAccount)
async def get_staff(staff_id: PathId, caller: Administrator, db: Db) -> StaffOut:
    """Get an account that the caller may manage."""
    return StaffOut.of(await store.find_account(db, staff_id, manager(caller)))


@router.post("/staff", status_code=201, tags=["staff"])
@refuses(CardTaken, RoleNotAllowed, SecondPersonNeeded, PinNotAccepted)
async def post_staff(
    body: StaffIn, caller: Administrator, run: Run, settings: OwnSettings
) -> StaffOut:
    """Create an account for staff or a station.

    Its holder gets an e-mail with a code, which is valid for a day, and chooses the PIN with it
    (`PUT /v1/pin-resets/{reset_id}`); until then nobody can log in. For a contact tracer, an
    administrator or an operator ask a second person: `POST /v1/staff-requests`.
    """
    if body.pin is not None:
        raise PinNotAccepted
    command = AddStaff(
        card_number=body.card_number,
        card_digest=card_digest(body.card_number, settings.card_key),
        name=body.name,
        role=body.role,
        by=manager(caller),
        at=wall_clock(),
        email=body.email,
    )
    return StaffOut(
        id=await run(add_staff, command),
        card_number=body.card_number,
        name=body.name,
        role=body.role,
        disabled_at=None,
        second_factor=False,
        email=body.email,
        has_pin=False,
    )


@router.post("/staff/{staff_id}/disable", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount)
async def post_disabling(staff_id: PathId, caller: Administrator, run: Run) -> StaffOut:
    """Disable an account, such as that of somebody who leaves the library.

    All its sessions end at once, and its holder can't log in until it is enabled again.
    """
    return StaffOut.of(await run(disable_staff, staff_id, manager(caller), wall_clock()))


@router.post("/staff/{staff_id}/enable", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, SecondPersonNeeded)
async def post_enabling(staff_id: PathId, caller: Administrator, run: Run) -> StaffOut:
    """Let the holder of a disabled account log in again."""
    return StaffOut.of(await run(enable_staff, staff_id, manager(caller)))


@router.put("/staff/{staff_id}/role", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, RoleNotAllowed, SecondPersonNeeded)
async def put_role(staff_id: PathId, body: RoleIn, caller: Administrator, run: Run) -> StaffOut:
    """Give an account another role. All its sessions end at once."""
    return StaffOut.of(await run(change_role, staff_id, body.role, manager(caller)))


@router.put("/staff/{staff_id}/pin", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, SecondPersonNeeded, NoStaffAddress, PinNotAccepted)
async def put_staff_pin(
    staff_id: PathId, caller: Administrator, run: Run, body: StaffPinIn | None = None
) -> StaffOut:
    """Let the holder of an account choose another PIN: the former one and all sessions end at once.

    The holder gets an e-mail with a code, which is valid for a day. The card is unlocked.
    """
    if body is not None and body.pin is not None:
        raise PinNotAccepted
    return StaffOut.of(await run(reset_staff_pin, staff_id, manager(caller), wall_clock()))


@router.delete("/staff/{staff_id}/second-factor", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, SecondPersonNeeded)
async def delete_factor(staff_id: PathId, caller: Administrator, run: Run) -> StaffOut:
    """Remove the second factor of somebody who has lost the app and the recovery codes.

    All sessions of the account end at once.
    """
    return StaffOut.of(await run(remove_factor, staff_id, manager(caller)))


@router.post("/staff-removals", status_code=204, tags=["staff"])
@refuses(NoSuchAccount, OwnAccount)
async def post_removal(
    body: RemovalIn, caller: Administrator, run: Run, settings: OwnSettings
) -> None:
    """Remove an account of staff, a station, a contact tracer, an administrator or an operator.

    All its sessions end at once. Its card number can be given to another account.
    """
    digest = await digest_of(run.database, settings, body.card_number)
    await run(remove_staff, digest, manager(caller))


class StaffRequestIn(Body):
    """A change of an account that a second person is to agree to."""

    act: Act = Field(
        description="`add` an account; `enable` one; give it another `role` or `email`; let its "
        "holder choose another `pin`; remove its `second-factor`; link it with a log-in at the "
        "identity `provider`."
    )
    staff_id: str | None = Field(
        default=None, max_length=64, description="The account; null: a new one."
    )
    card_number: CardNumber | None = None
    name: Name | None = None
    role: StaffRole | None = None
    email: EmailAddress | None = None
    provider_login: ProviderLogin | None = None

    @model_validator(mode="after")
    def _complete(self) -> "StaffRequestIn":
        needed = _NEEDED.get(self.act, {"staff_id"})
        given = {name for name, value in self if name != "act" and value is not None}
        if given != needed:
            raise ValueError(f"the act {self.act} has {', '.join(sorted(needed))}, and no more")
        return self


class StaffRequestOut(BaseModel):
    """A request that waits for a second person."""

    id: str
    act: Act
    requested_by: str = Field(description="Id of the account that asks.")
    requested_by_name: str | None = Field(description="Its name; null: the account is removed.")
    expires_at: datetime = Field(description="Instant at which it ends if nobody agrees.")
    staff_id: str | None = Field(description="The account; null: a new one.")
    card_number: str
    name: str
    role: StaffRole = Field(description="The role of the account after the change.")
    email: str | None = Field(description="The address that is new; null: it stays.")
    provider_login: str | None = Field(description="The log-in that is new; null: it stays.")

    @classmethod
    def of(cls, request: StaffRequest, names: dict[str, str]) -> "StaffRequestOut":
        """Build the response from a request and the names of accounts."""
        return from_attributes(
            cls,
            request,
            requested_by=request.by,
            requested_by_name=names.get(request.by),
            staff_id=request.account_id,
        )


class StaffRequestList(BaseModel):
    """The requests that the caller may decide or has made."""

    items: list[StaffRequestOut]


@router.get("/staff-requests", tags=["staff"])
async def get_staff_requests(caller: Administrator, db: Db) -> StaffRequestList:
    """List the open requests about accounts that the caller may manage, the oldest first."""
    roles = manager(caller).roles
    found = [
        request
        for request in await store.find_open_requests(db, wall_clock())
        if request.is_covered_by(roles)
    ]
    names = await cardholders_store.find_names(db, {request.by for request in found})
    return StaffRequestList(items=[StaffRequestOut.of(request, names) for request in found])


@router.post("/staff-requests", status_code=201, tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, RoleNotAllowed, CardTaken, NoStaffAddress)
async def post_staff_request(
    body: StaffRequestIn, caller: Administrator, run: Run
) -> StaffRequestOut:
    """Ask a second person to agree to a change, within a week. Nothing changes before."""
    asked = await _asked(body, manager(caller), run)
    return StaffRequestOut.of(asked, {caller.id: caller.name})


async def _asked(body: StaffRequestIn, by: Manager, run: Run) -> StaffRequest:
    at = wall_clock()
    if body.staff_id is not None:
        changed = (body.role, body.email, body.provider_login)
        command = AskToChange(body.act, body.staff_id, by, at, *changed)
        return await run(ask_to_change, command)
    card_number = body.card_number or ""
    account = NewAccount(
        card_number=card_number,
        name=body.name or "",
        role=body.role or "staff",
        email=body.email or "",
    )
    return await run(ask_to_add, account, by, at)


@router.post("/staff-requests/{request_id}/approval", tags=["staff"])
@refuses(
    *(NoSuchRequest, OwnRequest, NoSuchAccount, OwnAccount, RoleNotAllowed),
    *(CardTaken, NoStaffAddress, LoginTaken),
)
async def post_approval(
    request_id: PathId, caller: Administrator, run: Run, db: Db, settings: OwnSettings
) -> StaffOut:
    """Agree to a request of somebody else: the change is made at once."""
    by = manager(caller)
    account_id = await run(agree, request_id, by, wall_clock(), settings.card_key)
    return StaffOut.of(await store.find_account(db, account_id, by))


@router.delete("/staff-requests/{request_id}", status_code=204, tags=["staff"])
@refuses(NoSuchRequest)
async def delete_staff_request(request_id: PathId, caller: Administrator, run: Run) -> None:
    """Withdraw one's own request, or refuse that of somebody else."""
    await run(end_request, request_id, manager(caller), wall_clock())
