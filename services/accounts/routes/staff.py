"""Accounts of staff, stations, contact tracers, administrators and operators.

Two rights cover them (services/accounts/domain/staff.py): an administrator manages the accounts of
staff and machines, an operator also those of administrators and operators. Nobody chooses or learns
the PIN of somebody else, and what gives access to the account of a tracer, an administrator or an
operator needs two persons (routes/staff_requests.py).
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from services.accounts import store
from services.accounts.domain.refusals import (
    CardTaken,
    NoStaffAddress,
    NoSuchAccount,
    OwnAccount,
    PinNotAccepted,
    RoleNotAllowed,
    SecondPersonNeeded,
)
from services.accounts.domain.staff import Manager, StaffAccount, StaffRole
from services.accounts.routes.fields import CardNumber, Name, OwnSettings, Secret, digest_of
from services.accounts.usecases.add_staff import AddStaff, add_staff
from services.accounts.usecases.manage_staff import (
    ChangeRole,
    DisableStaff,
    EnableStaff,
    RemoveFactor,
    ResetStaffPin,
    change_role,
    disable_staff,
    enable_staff,
    remove_factor,
    reset_staff_pin,
)
from services.accounts.usecases.remove_staff import RemoveStaff, remove_staff
from shared.auth import Administrator, Caller
from shared.clock import wall_clock
from shared.email_address import EmailAddress
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.http.paging import PageQuery, page_of
from shared.ids import card_digest
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

StaffId = Annotated[str, Path(max_length=64)]


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
    found = await store.staff.find(db, roles, page.after, page.limit + 1)
    listed: dict[str, Any] = page_of(list(found), page, lambda account: account.id)
    return StaffPage(items=[StaffOut.of(one) for one in listed["items"]], next=listed["next"])


@router.get("/staff/{staff_id}", tags=["staff"])
@refuses(NoSuchAccount)
async def get_staff(staff_id: StaffId, caller: Administrator, db: Db) -> StaffOut:
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
async def post_disabling(staff_id: StaffId, caller: Administrator, run: Run) -> StaffOut:
    """Disable an account, such as that of somebody who leaves the library.

    All its sessions end at once, and its holder can't log in until it is enabled again.
    """
    command = DisableStaff(staff_id, manager(caller), at=wall_clock())
    return StaffOut.of(await run(disable_staff, command))


@router.post("/staff/{staff_id}/enable", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, SecondPersonNeeded)
async def post_enabling(staff_id: StaffId, caller: Administrator, run: Run) -> StaffOut:
    """Let the holder of a disabled account log in again."""
    return StaffOut.of(await run(enable_staff, EnableStaff(staff_id, manager(caller))))


@router.put("/staff/{staff_id}/role", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, RoleNotAllowed, SecondPersonNeeded)
async def put_role(staff_id: StaffId, body: RoleIn, caller: Administrator, run: Run) -> StaffOut:
    """Give an account another role. All its sessions end at once."""
    command = ChangeRole(staff_id, body.role, manager(caller))
    return StaffOut.of(await run(change_role, command))


@router.put("/staff/{staff_id}/pin", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, SecondPersonNeeded, NoStaffAddress, PinNotAccepted)
async def put_staff_pin(
    staff_id: StaffId, caller: Administrator, run: Run, body: StaffPinIn | None = None
) -> StaffOut:
    """Let the holder of an account choose another PIN: the former one and all sessions end at once.

    The holder gets an e-mail with a code, which is valid for a day. The card is unlocked.
    """
    if body is not None and body.pin is not None:
        raise PinNotAccepted
    command = ResetStaffPin(staff_id, manager(caller), at=wall_clock())
    return StaffOut.of(await run(reset_staff_pin, command))


@router.delete("/staff/{staff_id}/second-factor", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, SecondPersonNeeded)
async def delete_factor(staff_id: StaffId, caller: Administrator, run: Run) -> StaffOut:
    """Remove the second factor of somebody who has lost the app and the recovery codes.

    All sessions of the account end at once.
    """
    return StaffOut.of(await run(remove_factor, RemoveFactor(staff_id, manager(caller))))


@router.post("/staff-removals", status_code=204, tags=["staff"])
@refuses(NoSuchAccount, OwnAccount)
async def post_removal(
    body: RemovalIn, caller: Administrator, run: Run, settings: OwnSettings
) -> None:
    """Remove an account of staff, a station, a contact tracer, an administrator or an operator.

    All its sessions end at once. Its card number can be given to another account.
    """
    digest = await digest_of(run.database, settings, body.card_number)
    await run(remove_staff, RemoveStaff(digest, manager(caller)))
