"""Events of fine suspensions, published by circulation."""

from datetime import date

from pydantic import Field

from shared.contracts.event import Code, Event, Id, Text


class SuspensionSnapshot(
    Event, publisher="circulation", key="suspension_id", subject="suspension_id"
):
    """A fine suspension after a change; keyed by its id."""

    suspension_id: Id
    starts_on: date
    resumes_on: date | None
    branches: tuple[Code, ...] = Field(
        max_length=10_000, description="Branch codes in scope; empty: see `kinds`."
    )
    kinds: tuple[Code, ...] = Field(max_length=100, description="Branch kinds in scope.")
    reason: Text
    withdrawn_on: date | None = Field(
        default=None, description="The day on which it was withdrawn, if it was."
    )
    previous_starts_on: date | None = Field(
        default=None, description="The previously announced first day, if this change replaces it."
    )
    previous_resumes_on: date | None = Field(
        default=None,
        description="The previously announced day of resumption, if this change replaces or "
        "withdraws it.",
    )


class FinesSuspended(SuspensionSnapshot, topic="fines.suspended"):
    """Published when a fine suspension is recorded or its day of resumption is announced."""


class FinesResumed(SuspensionSnapshot, topic="fines.resumed"):
    """Published once, when fines count again: by the job on that day, or at a withdrawal."""
