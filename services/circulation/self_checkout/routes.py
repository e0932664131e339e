"""Routes of self-checkout by phone: the libraries that allow it, and their codes of the day."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from services.circulation.calendars.queries import check_branches
from services.circulation.fields import Today
from services.circulation.refusals import NoSuchBranch, SelfCheckoutOff
from services.circulation.rules.self_checkout import SelfCheckout, code_of_day
from services.circulation.self_checkout import store
from services.circulation.self_checkout.commands import allow_self_checkout, renew_secret
from shared.auth import Staff
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

Branch = Annotated[str, Path(max_length=20)]


class SelfCheckoutIn(Body):
    """A library's choice to let patrons borrow with their own phones, or not."""

    allowed: bool


class SelfCheckoutOut(BaseModel):
    """A library's choice, and the code for its doors today."""

    branch: str
    allowed: bool
    day_code: str | None = Field(
        description="Six digits that are valid today at this library alone; null: not allowed."
    )
    valid_on: date = Field(description="Library day of the code: today.")

    @classmethod
    def of(cls, library: SelfCheckout, today: date) -> "SelfCheckoutOut":
        """Build the response from a library's choice."""
        code = code_of_day(library, today) if library.allowed else None
        return cls(branch=library.id, allowed=library.allowed, day_code=code, valid_on=today)


class SelfCheckoutBranches(BaseModel):
    """The libraries at which patrons may borrow with their own phones."""

    branches: list[str]


@router.get("/self-checkouts")
async def get_branches(db: Db) -> SelfCheckoutBranches:
    """List the libraries at which patrons may borrow with their own phones."""
    return SelfCheckoutBranches(branches=await store.find_allowed(db))


@router.get("/self-checkouts/{branch}")
@refuses(NoSuchBranch)
async def get_self_checkout(
    branch: Branch, _caller: Staff, db: Db, run: Run, today: Today
) -> SelfCheckoutOut:
    """Show a library's choice, and its code of the day for the sign at the door."""
    await check_branches(run, {branch})
    found = await store.find(db, branch)
    return SelfCheckoutOut.of(found or SelfCheckout(id=branch), today)


@router.put("/self-checkouts/{branch}")
@refuses(NoSuchBranch)
async def put_self_checkout(
    branch: Branch, body: SelfCheckoutIn, _caller: Staff, run: Run, today: Today
) -> SelfCheckoutOut:
    """Allow self-checkout by phone at a library, or end it at once."""
    return SelfCheckoutOut.of(await run(allow_self_checkout, branch, body.allowed), today)


@router.post("/self-checkouts/{branch}/secret")
@refuses(SelfCheckoutOff, NoSuchBranch)
async def post_secret(branch: Branch, _caller: Staff, run: Run, today: Today) -> SelfCheckoutOut:
    """Replace a library's code of today and of each later day; codes until now end at once."""
    return SelfCheckoutOut.of(await run(renew_secret, branch), today)
