"""HTTP routes of the gateway: its own, and the forwarding of all others."""

from fastapi import APIRouter

from services.gateway.routes import account, calendars, family
from services.gateway.routes.account import operations

__all__ = ["operations", "router"]

router = APIRouter()
for subject in (calendars, family, account):  # account's last route matches every other path
    router.include_router(subject.router)
