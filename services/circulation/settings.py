"""Settings of circulation: the common ones, the payment provider, notices, and the search index."""

from typing import Annotated, Literal, Self, cast

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from services import settings
from shared.settings import SPLIT
from shared.unit_of_work import Run


class Settings(settings.CardSettings):
    """Settings that circulation reads from its environment."""

    payment_provider: Literal["none", "double", "stripe", "mollie"] = "none"
    payment_secret: str = Field(default="", repr=False)
    payment_webhook_keys: str = Field(default="", repr=False)
    payment_api: str = Field(default="", pattern=r"^(https?://[^\s/?#]+)?$")
    overdue_days: Annotated[tuple[int, ...], NoDecode, SPLIT] = (1, 7, 21)
    search_folder: str = ""
    oai_email: str = Field(default="webmaster@localhost", pattern=r"^[^\s@]+@[^\s@]+$")
    due_soon_days: int = Field(default=3, ge=0, le=365)

    @model_validator(mode="after")
    def _can_take_payments(self) -> Self:
        needed = {
            "stripe": ("payment_secret", "payment_webhook_keys", "public_url"),
            "mollie": ("payment_secret", "public_url"),
        }
        for name in needed.get(self.payment_provider, ()):
            if not getattr(self, name):
                raise ValueError(f"{self.payment_provider} needs CARREL_{name.upper()}")
        return self

    @field_validator("overdue_days")
    @classmethod
    def _rising(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if not days or days[0] < 1 or list(days) != sorted(set(days)):
            raise ValueError("should be days from 1 on, each later than the one before, as 1,7,21")
        return days


def settings_of(run: Run) -> Settings:
    """Return the settings of a run as those of circulation."""
    return cast(Settings, run.settings)
