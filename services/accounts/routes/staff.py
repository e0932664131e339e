"""Accounts of staff, stations, contact tracers and operators."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from services.accounts.domain.cardholder import (
    Role,
)
from services.accounts.domain.refusals import EASY_PINS, CardTaken, NoSuchAccount
from services.accounts.routes.fields import CardNumber, Name, NewPin, OwnSettings
from services.accounts.usecases.add_staff import AddStaff, add_staff
from services.accounts.usecases.check_pin import new_pin_hash
from services.accounts.usecases.remove_staff import RemoveStaff, remove_staff
from shared.auth import Ops
from shared.http.bodies import Body
from shared.http.dependencies import Run
from shared.ids import card_digest
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class StaffIn(Body):
    """A new account of staff, a station, a contact tracer or an operator."""

    card_number: CardNumber
    pin: NewPin
    name: Name
    role: Literal["staff", "station", "tracer", "ops"]


class RemovalIn(Body):
    """The card of an account to remove."""

    card_number: CardNumber


class StaffOut(BaseModel):
    """An account of staff, a station, a contact tracer or an operator."""

    id: str
    card_number: str
    name: str
    role: Role


@router.post("/staff", status_code=201, tags=["staff"])
@refuses(CardTaken, *EASY_PINS)
async def post_staff(body: StaffIn, caller: Ops, run: Run, settings: OwnSettings) -> StaffOut:
    """Create an account for staff, a station, a contact tracer or an operator."""
    staff_id = await run(
        add_staff,
        AddStaff(
            card_number=body.card_number,
            card_digest=card_digest(body.card_number, settings.card_key),
            pin_hash=await new_pin_hash(body.pin.get_secret_value(), body.card_number),
            name=body.name,
            role=body.role,
        ),
    )
    return StaffOut(id=staff_id, card_number=body.card_number, name=body.name, role=body.role)


@router.post("/staff/removals", status_code=204, tags=["staff"])
@refuses(NoSuchAccount)
async def post_removal(body: RemovalIn, caller: Ops, run: Run, settings: OwnSettings) -> None:
    """Remove an account of staff, a station, a contact tracer or an operator.

    All its sessions end at once. Its card number can be given to another account.
    """
    await run(remove_staff, RemoveStaff(card_digest(body.card_number, settings.card_key)))
