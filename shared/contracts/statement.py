"""The statement of a fine in events and responses: spans of overdue days with their causes."""

from datetime import date
from typing import Literal

from pydantic import ConfigDict, Field

from shared.contracts.event import Cents, Count, Short, Text, Value


class CauseOut(Value):
    """The reason why days were free or charged."""

    kind: Literal["closure", "weekly-closing", "suspension", "policy"]
    id: Short
    version: Count
    reason: Text
    also: tuple["CauseOut", ...] = Field(
        max_length=100, default=(), description="Further causes, if several."
    )


class SpanOut(Value):
    """Neighbouring overdue days with one disposition."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from")
    to: date
    days: Count
    disposition: Literal["suspended", "closed", "grace", "charged", "capped"]
    amount_cents: Cents
    cause: CauseOut
