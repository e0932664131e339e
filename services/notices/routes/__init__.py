"""Routes of notices, one module for each subject."""

from fastapi import APIRouter

from services.notices.routes import (
    attachments,
    bank,
    branches,
    closures,
    deliveries,
    devices,
    drafts,
    enquiries,
    feeds,
    guests,
    notices,
    notifications,
    occupancy,
    ready_delays,
    service_hours,
    tracing,
    visits,
    webhooks,
    wordings,
)

__all__ = ["ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = tuple(
    subject.router
    for subject in (
        *(attachments, bank, branches, closures, deliveries, drafts, enquiries, feeds, guests),
        *(notices, notifications, occupancy, ready_delays, service_hours, tracing, visits),
        *(webhooks, devices, wordings),
    )
)
