"""Settings of circulation: those of every service, and who moves money."""

from typing import Literal

from pydantic import Field

from shared import settings


class Settings(settings.Settings):
    """What circulation is told by its environment."""

    payment_provider: Literal["none", "double"] = Field(
        default="none",
        description="`double`: a stand-in that moves no money, for tests and demonstrations.",
    )
