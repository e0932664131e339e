"""Settings of accounts: those of every service, and how long tokens last."""

from pydantic import Field

from shared import settings

# A key stays published for as long as a token that it signed may live: let that be days, not years.
_WEEK = 7 * 24


class Settings(settings.Settings):
    """`CARREL_…_HOURS` of a token, from its issue to its end."""

    patron_token_hours: int = Field(default=1, ge=1, le=_WEEK)
    staff_token_hours: int = Field(default=8, ge=1, le=_WEEK, description="Of staff and ops.")
    machine_token_hours: int = Field(
        default=24, ge=1, le=_WEEK, description="Of stations and services."
    )

    def token_hours(self, role: str) -> int:
        """How long a token of `role` lasts, in hours."""
        if role == "patron":
            return self.patron_token_hours
        if role in ("station", "service"):
            return self.machine_token_hours
        return self.staff_token_hours

    @property
    def longest_token_hours(self) -> int:
        """How long the longest-lived token lasts, in hours."""
        return max(self.patron_token_hours, self.staff_token_hours, self.machine_token_hours)
