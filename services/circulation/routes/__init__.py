"""Routes of circulation, one module for each subject."""

from fastapi import APIRouter

from services.circulation.routes import (
    borrowers,
    charges,
    check_outs,
    conflicts,
    copies,
    effects,
    history,
    holds,
    loans,
    payments,
    policies,
    renewals,
    suspensions,
    sweeps,
    titles,
)

__all__ = ["router"]

router = APIRouter()
for subject in (
    titles,
    copies,
    check_outs,
    loans,
    renewals,
    conflicts,
    history,
    holds,
    charges,
    payments,
    suspensions,
    effects,
    policies,
    sweeps,
    borrowers,
):
    router.include_router(subject.router)
