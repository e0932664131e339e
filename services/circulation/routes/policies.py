"""Policy rows."""

from fastapi import APIRouter
from pydantic import (
    BaseModel,
)

from services.circulation import queries
from services.circulation.domain.policy import Policy
from shared.auth import Staff
from shared.http import Db

router = APIRouter(prefix="/v1")


class PolicyList(BaseModel):
    """The policy rows in force."""

    items: list[Policy]


@router.get("/policies")
async def get_policies(_caller: Staff, db: Db) -> PolicyList:
    """The policy rows in force."""
    return PolicyList(items=await queries.policies(db))
