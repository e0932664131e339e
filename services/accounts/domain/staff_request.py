"""Requests of one manager of accounts, which another one has to agree to."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from services.accounts.domain.staff import StaffRole

LASTS = timedelta(days=7)
"""Time after which a request that nobody agreed to has ended."""
Act = Literal["add", "enable", "role", "pin", "second-factor", "email"]


@dataclass(frozen=True, slots=True)
class StaffRequest:
    """A request to add an account, or to change one so that somebody gets access to it."""

    id: str
    act: Act
    by: str
    """Id of the account that asks."""
    asked_at: datetime
    expires_at: datetime
    """Both by the wall clock."""
    account_id: str | None
    """The account to change; None: a new one."""
    card_number: str = field(repr=False)
    name: str = field(repr=False)
    role: StaffRole
    """The new role, or that of the account."""
    former_role: StaffRole | None = None
    """The role of an account that gets another."""
    email: str | None = field(default=None, repr=False)
    """Address of a new account, or another one."""
    version: int = 1

    def is_covered_by(self, roles: Collection[str]) -> bool:
        """Return whether somebody who manages accounts with these roles may decide it."""
        return self.role in roles and (self.former_role is None or self.former_role in roles)
