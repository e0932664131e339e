"""Settings of circulation: those of every service, who moves money, and when patrons are told."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from shared import settings


class Settings(settings.Settings):
    """What circulation is told by its environment."""

    payment_provider: Literal["none", "double"] = Field(
        default="none",
        description="`double`: a stand-in that moves no money, for tests and demonstrations.",
    )
    overdue_days: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(1, 7, 21),
        description="On which days after its due date the patron of a loan is told, as `1,7,21`.",
    )
    due_soon_days: int = Field(
        default=3, ge=0, le=365, description="How many days before the due date patrons are told."
    )

    @field_validator("overdue_days", mode="before")
    @classmethod
    def _split_days(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("overdue_days")
    @classmethod
    def _rising(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if not days or days[0] < 1 or list(days) != sorted(set(days)):
            raise ValueError("should be days from 1 on, each later than the one before, as 1,7,21")
        return days
