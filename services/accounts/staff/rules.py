"""The accounts of staff and machines: their roles, who may manage which of them, and requests."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, cast

from services.accounts.cardholders.rules import Cardholder, StaffRole
from services.accounts.refusals import NoSuchAccount
from services.accounts.staff.refusals import OwnAccount, RoleNotAllowed, SecondPersonNeeded

MANAGED: Mapping[str, frozenset[StaffRole]] = {
    "manage-staff": frozenset({"staff", "supervisor", "station", "verifier", "tracer"}),
    "manage-administrators": frozenset({"admin", "ops"}),
}
"""The roles of the accounts that each right of shared/rights.py covers. None covers patrons."""

NEED_TWO_PERSONS: frozenset[str] = frozenset({"tracer", "admin", "ops"})
"""The roles of accounts to which one person alone gives nobody access."""

LASTS = timedelta(days=7)
"""Time after which a request that nobody agreed to has ended."""
Act = Literal["add", "enable", "role", "pin", "second-factor", "email", "provider"]


@dataclass(frozen=True)
class StaffAccount:
    """The part of an account that its managers see: neither its PIN nor a digest of its card."""

    id: str
    card_number: str = field(repr=False)
    name: str = field(repr=False)
    role: StaffRole
    disabled_at: datetime | None
    second_factor: bool
    """True if a log-in needs a code from an app."""
    email: str | None = field(repr=False)
    """Address to which a code to choose a PIN is sent."""
    has_pin: bool
    """False until the holder has chosen one with the code."""
    provider_login: str | None = field(default=None, repr=False)
    """Log-in at the identity provider that opens the account."""
    provider_used: bool = False
    """True once somebody has logged in with it: the link is bound to that log-in."""

    @classmethod
    def of(cls, holder: Cardholder) -> "StaffAccount":
        """Return the account of a cardholder who is not a patron."""
        return cls(
            id=holder.id,
            card_number=holder.card_number,
            name=holder.name,
            role=cast(StaffRole, holder.role),
            disabled_at=holder.disabled_at,
            second_factor=holder.needs_code,
            email=holder.email,
            has_pin=bool(holder.pin_hash),
            provider_login=holder.provider_link.login if holder.provider_link else None,
            provider_used=bool(holder.provider_link and holder.provider_link.subject),
        )


@dataclass(frozen=True)
class Manager:
    """The caller who manages accounts."""

    account_id: str
    """Empty: an operator who works on the database, without an account."""
    rights: frozenset[str]
    """Rights of shared/rights.py."""
    seconded: bool = False
    """True if a second person has asked for what this one does."""

    @property
    def roles(self) -> frozenset[StaffRole]:
        """The roles of the accounts that the manager may see and change."""
        covered = (roles for right, roles in MANAGED.items() if right in self.rights)
        return frozenset[StaffRole]().union(*covered)

    def check_role(self, role: StaffRole) -> None:
        """Raise RoleNotAllowed or SecondPersonNeeded unless the manager may give this role."""
        if role not in self.roles:
            raise RoleNotAllowed
        if role in NEED_TWO_PERSONS and not self.seconded:
            raise SecondPersonNeeded

    def check_covered(self, holder: Cardholder | None) -> Cardholder:
        """Return the account. Raises NoSuchAccount, also if the rights don't cover it."""
        if holder is None or holder.role not in self.roles:
            raise NoSuchAccount
        return holder

    def check_account(self, holder: Cardholder | None) -> Cardholder:
        """Return the account to change. Raises as `check_covered`, or OwnAccount."""
        found = self.check_covered(holder)
        if found.id == self.account_id:
            raise OwnAccount
        return found

    def check_access(self, holder: Cardholder | None) -> Cardholder:
        """Return the account to which somebody gets access by the change.

        Raises as `check_account`, or SecondPersonNeeded.
        """
        found = self.check_account(holder)
        if found.role in NEED_TWO_PERSONS and not self.seconded:
            raise SecondPersonNeeded
        return found


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
    provider_login: str | None = field(default=None, repr=False)
    """Log-in at the identity provider that is to open the account."""
    version: int = 1

    def is_covered_by(self, roles: Collection[str]) -> bool:
        """Return whether somebody who manages accounts with these roles may decide it."""
        return self.role in roles and (self.former_role is None or self.former_role in roles)
