"""Requests about accounts of staff that a second person agrees to.

What gives somebody access to the account of a contact tracer, an administrator or an operator, and
another e-mail address of any account, needs two persons who may manage the account: one asks, and
another one agrees. Both are recorded in the audit trail.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, model_validator

from services.accounts import store
from services.accounts.domain.refusals import (
    CardTaken,
    NoStaffAddress,
    NoSuchAccount,
    NoSuchRequest,
    OwnAccount,
    OwnRequest,
    RoleNotAllowed,
)
from services.accounts.domain.staff import Manager, StaffRole
from services.accounts.domain.staff_request import Act, StaffRequest
from services.accounts.routes.fields import CardNumber, Name, OwnSettings
from services.accounts.routes.staff import StaffOut, manager
from services.accounts.usecases.second_staff import (
    AskToAdd,
    AskToChange,
    Decide,
    NewAccount,
    agree,
    ask_to_add,
    ask_to_change,
    end_request,
)
from shared.auth import Administrator
from shared.clock import wall_clock
from shared.email_address import EmailAddress
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

RequestId = Annotated[str, Path(max_length=64)]
_NEEDED = {
    "add": {"card_number", "name", "role", "email"},
    "role": {"staff_id", "role"},
    "email": {"staff_id", "email"},
}
"""The fields of each act; the other acts have the id of the account only."""


class StaffRequestIn(Body):
    """A change of an account that a second person is to agree to."""

    act: Act = Field(
        description="`add` an account; `enable` one; give it another `role` or `email`; let its "
        "holder choose another `pin`; remove its `second-factor`."
    )
    staff_id: str | None = Field(
        default=None, max_length=64, description="The account; null: a new one."
    )
    card_number: CardNumber | None = None
    name: Name | None = None
    role: StaffRole | None = None
    email: EmailAddress | None = None

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

    @classmethod
    def of(cls, request: StaffRequest, names: dict[str, str]) -> "StaffRequestOut":
        """Build the response from a request and the names of accounts."""
        return cls(
            id=request.id,
            act=request.act,
            requested_by=request.by,
            requested_by_name=names.get(request.by),
            expires_at=request.expires_at,
            staff_id=request.account_id,
            card_number=request.card_number,
            name=request.name,
            role=request.role,
            email=request.email,
        )


class StaffRequestList(BaseModel):
    """The requests that the caller may decide or has made."""

    items: list[StaffRequestOut]


@router.get("/staff-requests", tags=["staff"])
async def get_staff_requests(caller: Administrator, db: Db) -> StaffRequestList:
    """List the open requests about accounts that the caller may manage, the oldest first."""
    roles = manager(caller).roles
    found = [
        one
        for one in await store.staff_requests.find_open(db, wall_clock())
        if one.is_covered_by(roles)
    ]
    names = await store.find_names(db, {one.by for one in found})
    return StaffRequestList(items=[StaffRequestOut.of(one, names) for one in found])


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
        command = AskToChange(body.act, body.staff_id, by, at, body.role, body.email)
        return await run(ask_to_change, command)
    card_number = body.card_number or ""
    account = NewAccount(
        card_number=card_number,
        name=body.name or "",
        role=body.role or "staff",
        email=body.email or "",
    )
    return await run(ask_to_add, AskToAdd(account, by, at))


@router.post("/staff-requests/{request_id}/approval", tags=["staff"])
@refuses(NoSuchRequest, OwnRequest, NoSuchAccount, OwnAccount, RoleNotAllowed)
@refuses(CardTaken, NoStaffAddress)
async def post_approval(
    request_id: RequestId, caller: Administrator, run: Run, db: Db, settings: OwnSettings
) -> StaffOut:
    """Agree to a request of somebody else: the change is made at once."""
    by = manager(caller)
    account_id = await run(agree, Decide(request_id, by, wall_clock(), settings.card_key))
    return StaffOut.of(await store.find_account(db, account_id, by))


@router.delete("/staff-requests/{request_id}", status_code=204, tags=["staff"])
@refuses(NoSuchRequest)
async def delete_staff_request(request_id: RequestId, caller: Administrator, run: Run) -> None:
    """Withdraw one's own request, or refuse that of somebody else."""
    await run(end_request, Decide(request_id, manager(caller), wall_clock()))
