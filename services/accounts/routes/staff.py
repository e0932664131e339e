"""Accounts of staff, stations, contact tracers, administrators and operators.

Two rights cover them (services/accounts/domain/staff.py): an administrator manages the accounts of
staff and machines, an operator also those of administrators and operators.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from services.accounts import queries, store
from services.accounts.domain.refusals import (
    EASY_PINS,
    CardTaken,
    NoSuchAccount,
    OwnAccount,
    RoleNotAllowed,
)
from services.accounts.domain.staff import Manager, StaffAccount, StaffRole
from services.accounts.routes.fields import CardNumber, Name, NewPin, OwnSettings
from services.accounts.usecases.add_staff import AddStaff, add_staff
from services.accounts.usecases.check_pin import new_pin_hash
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
    pin: NewPin
    name: Name
    role: StaffRole


class RoleIn(Body):
    """The new role of an account."""

    role: StaffRole


class StaffPinIn(Body):
    """The new PIN of an account."""

    pin: NewPin


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

    @classmethod
    def of(cls, account: StaffAccount) -> "StaffOut":
        """Build the response from an account."""
        return cls.model_validate(account, from_attributes=True)


class StaffPage(BaseModel):
    """A page of accounts."""

    items: list[StaffOut]
    next: str | None


def _manager(caller: Caller) -> Manager:
    return Manager(caller.id, caller.rights)


@router.get("/staff", tags=["staff"])
async def get_staff_list(caller: Administrator, db: Db, page: PageQuery) -> StaffPage:
    """List the accounts that the caller may manage, the first created first."""
    roles = _manager(caller).roles
    found = await store.staff.find(db, roles, page.after, page.limit + 1)
    listed: dict[str, Any] = page_of(list(found), page, lambda account: account.id)
    return StaffPage(items=[StaffOut.of(one) for one in listed["items"]], next=listed["next"])


@router.get("/staff/{staff_id}", tags=["staff"])
@refuses(NoSuchAccount)
async def get_staff(staff_id: StaffId, caller: Administrator, db: Db) -> StaffOut:
    """Get an account that the caller may manage."""
    return StaffOut.of(await queries.staff(db, staff_id, _manager(caller)))


@router.post("/staff", status_code=201, tags=["staff"])
@refuses(CardTaken, RoleNotAllowed, *EASY_PINS)
async def post_staff(
    body: StaffIn, caller: Administrator, run: Run, settings: OwnSettings
) -> StaffOut:
    """Create an account for staff, a station, a contact tracer, an administrator or an operator."""
    command = AddStaff(
        card_number=body.card_number,
        card_digest=card_digest(body.card_number, settings.card_key),
        pin_hash=await new_pin_hash(body.pin.get_secret_value(), body.card_number),
        name=body.name,
        role=body.role,
        by=_manager(caller),
    )
    return StaffOut(
        id=await run(add_staff, command),
        card_number=body.card_number,
        name=body.name,
        role=body.role,
        disabled_at=None,
        second_factor=False,
    )


@router.post("/staff/{staff_id}/disable", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount)
async def post_disabling(staff_id: StaffId, caller: Administrator, run: Run) -> StaffOut:
    """Disable an account, such as that of somebody who leaves the library.

    All its sessions end at once, and its holder can't log in until it is enabled again.
    """
    command = DisableStaff(staff_id, _manager(caller), at=wall_clock())
    return StaffOut.of(await run(disable_staff, command))


@router.post("/staff/{staff_id}/enable", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount)
async def post_enabling(staff_id: StaffId, caller: Administrator, run: Run) -> StaffOut:
    """Let the holder of a disabled account log in again."""
    return StaffOut.of(await run(enable_staff, EnableStaff(staff_id, _manager(caller))))


@router.put("/staff/{staff_id}/role", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, RoleNotAllowed)
async def put_role(staff_id: StaffId, body: RoleIn, caller: Administrator, run: Run) -> StaffOut:
    """Give an account another role. All its sessions end at once."""
    command = ChangeRole(staff_id, body.role, _manager(caller))
    return StaffOut.of(await run(change_role, command))


@router.put("/staff/{staff_id}/pin", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount, *EASY_PINS)
async def put_staff_pin(
    staff_id: StaffId, body: StaffPinIn, *, caller: Administrator, run: Run, db: Db
) -> StaffOut:
    """Replace the PIN of an account, which also unlocks its card. All its sessions end at once."""
    account = await queries.staff(db, staff_id, _manager(caller))
    pin_hash = await new_pin_hash(body.pin.get_secret_value(), account.card_number)
    command = ResetStaffPin(staff_id, pin_hash, _manager(caller))
    return StaffOut.of(await run(reset_staff_pin, command))


@router.delete("/staff/{staff_id}/second-factor", tags=["staff"])
@refuses(NoSuchAccount, OwnAccount)
async def delete_factor(staff_id: StaffId, caller: Administrator, run: Run) -> StaffOut:
    """Remove the second factor of somebody who has lost the app and the recovery codes.

    All sessions of the account end at once.
    """
    return StaffOut.of(await run(remove_factor, RemoveFactor(staff_id, _manager(caller))))


@router.post("/staff-removals", status_code=204, tags=["staff"])
@refuses(NoSuchAccount, OwnAccount)
async def post_removal(
    body: RemovalIn, caller: Administrator, run: Run, settings: OwnSettings
) -> None:
    """Remove an account of staff, a station, a contact tracer, an administrator or an operator.

    All its sessions end at once. Its card number can be given to another account.
    """
    digest = card_digest(body.card_number, settings.card_key)
    await run(remove_staff, RemoveStaff(digest, _manager(caller)))
