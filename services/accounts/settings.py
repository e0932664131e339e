"""Settings of accounts: the common ones, and the lifetimes of tokens."""

from pydantic import Field

from services import settings

# A key stays published as long as a token that it signed may be valid: days, not years.
_WEEK = 7 * 24


class Settings(settings.Settings):
    """Settings of accounts; `CARREL_…_HOURS` is the lifetime of a token, in hours."""

    patron_token_hours: int = Field(default=1, ge=1, le=_WEEK)
    staff_token_hours: int = Field(
        default=8,
        ge=1,
        le=_WEEK,
        description="Lifetime of tokens of staff and operators, in hours.",
    )
    machine_token_hours: int = Field(
        default=24,
        ge=1,
        le=_WEEK,
        description="Lifetime of tokens of stations and services, in hours.",
    )

    adult_age: int = Field(
        default=18,
        ge=1,
        le=120,
        description="Age in years from which a patron of the category `junior` becomes `adult`.",
    )

    def token_hours(self, role: str) -> int:
        """Return the lifetime of a token of `role`, in hours."""
        if role == "patron":
            return self.patron_token_hours
        if role in ("station", "service"):
            return self.machine_token_hours
        return self.staff_token_hours

    @property
    def longest_token_hours(self) -> int:
        """Lifetime of the longest-lived token, in hours."""
        return max(self.patron_token_hours, self.staff_token_hours, self.machine_token_hours)
