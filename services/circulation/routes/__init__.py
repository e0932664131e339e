"""HTTP of circulation, a module a subject."""

from fastapi import APIRouter

from services.circulation.routes import (
    charges,
    conflicts,
    copies,
    effects,
    history,
    holds,
    loans,
    payments,
    policies,
    suspensions,
    sweeps,
    titles,
)

__all__ = ["router"]

router = APIRouter()
for subject in (
    titles,
    copies,
    loans,
    conflicts,
    history,
    holds,
    charges,
    payments,
    suspensions,
    effects,
    policies,
    sweeps,
):
    router.include_router(subject.router)
