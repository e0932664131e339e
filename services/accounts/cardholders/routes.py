"""Routes of the names behind ids, which lists of acts and changes have."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.accounts.cardholders import store
from shared.audit_trail import shows_patrons
from shared.auth import StaffOrOps
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db
from shared.http.recording import Seen

router = APIRouter(prefix="/v1")


class NamesQuery(Body):
    """The ids of accounts whose names are asked for."""

    ids: tuple[Annotated[str, StringConstraints(max_length=64)], ...] = Field(max_length=500)


class AccountName(BaseModel):
    """The name of an account of a patron, of staff or of a machine."""

    id: str
    name: str
    role: str
    card_number: str | None = Field(description="Card of a patron, for librarians; else null.")


class AccountNames(BaseModel):
    """The accounts that are found; an erased or removed one is not."""

    items: list[AccountName]


@router.post("/account-names", tags=["staff"])
@shows_patrons
async def post_names_query(
    body: NamesQuery, caller: StaffOrOps, db: Db, seen: Seen
) -> AccountNames:
    """Get the names of some accounts, as lists, the audit trail and the histories show them.

    It changes nothing. Each patron whose name is shown is recorded as seen.
    """
    found = await store.find_cardholders(db, set(body.ids))
    patrons = {one.id: one.card_number for one in found if one.role == "patron"}
    seen += patrons
    cards = patrons if "desk" in caller.rights else {}
    items = [from_attributes(AccountName, one, card_number=cards.get(one.id)) for one in found]
    return AccountNames(items=items)
