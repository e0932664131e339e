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

__all__ = ["ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = tuple(
    subject.router
    for subject in (
        # Each request is compared with one after the other, so the most used come first.
        *(check_outs, loans, renewals, holds, titles, copies, conflicts, history, charges),
        *(payments, suspensions, effects, policies, sweeps, borrowers),
    )
)
