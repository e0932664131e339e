"""Routes of notices, one module for each subject."""

from fastapi import APIRouter

from services.notices.routes import (
    attachments,
    bank,
    branches,
    closures,
    deliveries,
    drafts,
    enquiries,
    feeds,
    notices,
    notifications,
    occupancy,
    tracing,
    visits,
)

__all__ = ["router"]

router = APIRouter()
for subject in (
    *(
        attachments,
        bank,
        branches,
        closures,
        deliveries,
        drafts,
        enquiries,
        feeds,
        notices,
        notifications,
    ),
    *(occupancy, tracing, visits),
):
    router.include_router(subject.router)
