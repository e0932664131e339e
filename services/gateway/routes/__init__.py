"""HTTP routes of the gateway: its own, and the forwarding of all others."""

from fastapi import APIRouter

from services.gateway.routes import (
    account,
    calendars,
    documents,
    family,
    forwarding,
    well_known,
)
from services.gateway.routes.account import operations

__all__ = ["ROUTERS", "operations"]

ROUTERS: tuple[APIRouter, ...] = tuple(
    subject.router
    for subject in (
        calendars,
        family,
        account,
        documents,
        well_known,
        forwarding,
    )  # the last: any path
)
