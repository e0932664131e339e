"""Bodies and days of requests: unknown fields and dates too far from today are refused."""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

from shared.clock import bounded

MOST_VALUES = 1000
"""Greatest number of fields of an object, and of values of a list; no body needs more."""


class Body(BaseModel):
    """The base of request bodies: unknown fields and dates too far from today are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _few_values(cls, value: Any) -> Any:
        """Refuse too many values at once: to find what is wrong with each could take seconds."""
        inside = value.values() if isinstance(value, dict) else ()
        for each in (value, *inside):
            if isinstance(each, dict | list) and len(each) > MOST_VALUES:
                raise ValueError(f"a list or an object may have {MOST_VALUES} values")
        return value

    @field_validator("*")
    @classmethod
    def _bounded_dates(cls, value: Any) -> Any:
        return bounded(value) if isinstance(value, date) else value


Day = Annotated[date, AfterValidator(bounded)]
"""A day in a query, not too far from today."""
