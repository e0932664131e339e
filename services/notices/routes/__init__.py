"""Routes of notices, one module for each subject."""

from fastapi import APIRouter

from services.notices.routes import (
    bank,
    branches,
    closures,
    enquiries,
    notices,
    notifications,
    occupancy,
    tracing,
    visits,
)

__all__ = ["router"]

router = APIRouter()
for subject in (
    *(bank, branches, closures, enquiries, notices, notifications, occupancy, tracing, visits),
):
    router.include_router(subject.router)
