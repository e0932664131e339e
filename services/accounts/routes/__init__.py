"""Routes of accounts, one module for each subject."""

from fastapi import APIRouter

from services.accounts.routes import (
    calendar,
    email,
    family,
    keys,
    own_data,
    own_pin,
    patrons,
    pin_resets,
    preferences,
    second_factors,
    sessions,
    staff,
    staff_requests,
)

__all__ = ["ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = tuple(
    subject.router
    for subject in (
        *(patrons, email, own_data, preferences, calendar, family, sessions, pin_resets, keys),
        *(staff, staff_requests, second_factors, own_pin),
    )
)
