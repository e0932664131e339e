"""HTTP routes of the gateway: its own, and the forwarding of all others."""

from fastapi import APIRouter

from services.gateway.routes import account, calendar_feed, forwarding, info
from services.gateway.routes.account import operations

__all__ = ["ROUTERS", "operations"]

ROUTERS: tuple[APIRouter, ...] = (
    calendar_feed.router,
    account.router,
    info.router,
    forwarding.router,  # the last: any path
)
