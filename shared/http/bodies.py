"""Bodies and days of requests: unknown fields and dates too far from today are refused."""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator

from shared.clock import bounded


class Body(BaseModel):
    """The base of request bodies: unknown fields and dates too far from today are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _bounded_dates(cls, value: Any) -> Any:
        return bounded(value) if isinstance(value, date) else value


Day = Annotated[date, AfterValidator(bounded)]
"""A day in a query, not too far from today."""
