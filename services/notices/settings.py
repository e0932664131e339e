"""Settings of notices: the common ones, and the keys that protect the data of visitors."""

from typing import cast

from pydantic import Field, field_validator

from services import settings
from shared.unit_of_work import Run


class Settings(settings.Settings):
    """Settings of notices."""

    visit_keys: str = Field(
        default="",
        repr=False,
        description="Master keys that wrap the daily keys of visitors' data, the newest first, "
        "separated by commas; empty: visitors are counted and not registered.",
    )

    @field_validator("visit_keys")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if any(len(one.strip()) < 16 for one in value.split(",") if one.strip()):
            raise ValueError("each key has at least 16 characters")
        return value


def settings_of(run: Run) -> Settings:
    """Return the settings of a run as those of notices."""
    return cast(Settings, run.settings)
