"""Settings of circulation: the common ones, the payment provider, notices, and the search index."""

from typing import Annotated, Literal, cast

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from services import settings
from shared.settings import SPLIT
from shared.unit_of_work import Run


class Settings(settings.CardSettings):
    """Settings that circulation reads from its environment."""

    payment_provider: Literal["none", "double"] = "none"
    overdue_days: Annotated[tuple[int, ...], NoDecode, SPLIT] = (1, 7, 21)
    search_folder: str = ""
    oai_email: str = Field(default="webmaster@localhost", pattern=r"^[^\s@]+@[^\s@]+$")
    due_soon_days: int = Field(default=3, ge=0, le=365)

    @field_validator("overdue_days")
    @classmethod
    def _rising(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if not days or days[0] < 1 or list(days) != sorted(set(days)):
            raise ValueError("should be days from 1 on, each later than the one before, as 1,7,21")
        return days


def settings_of(run: Run) -> Settings:
    """Return the settings of a run as those of circulation."""
    return cast(Settings, run.settings)
