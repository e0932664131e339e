"""Routes of events, one module for each subject. Public data needs no token."""

from fastapi import APIRouter

from services.events.routes import (
    activities,
    admissions,
    attendance,
    bookings,
    check_ins,
    effects,
    feed,
    registrations,
    seasons,
)

__all__ = ["ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = tuple(
    subject.router
    for subject in (
        *(activities, feed, registrations, attendance),
        *(seasons, admissions, check_ins, bookings, effects),
    )
)
