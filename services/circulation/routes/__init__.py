"""HTTP of circulation, a module a subject."""

from fastapi import APIRouter

from services.circulation.routes import (
    charges,
    conflicts,
    copies,
    effects,
    holds,
    loans,
    payments,
    policies,
    suspensions,
    titles,
)

__all__ = ["router"]

router = APIRouter()
for subject in (
    titles,
    copies,
    loans,
    conflicts,
    holds,
    charges,
    payments,
    suspensions,
    effects,
    policies,
):
    router.include_router(subject.router)
