"""Routes of accounts, one module for each subject."""

from fastapi import APIRouter

from services.accounts.routes import email, keys, patrons, preferences, sessions, staff

__all__ = ["router"]

router = APIRouter()
for subject in (patrons, email, preferences, sessions, keys, staff):
    router.include_router(subject.router)
