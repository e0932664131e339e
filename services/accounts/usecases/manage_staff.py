"""Manage an account of staff or a machine: access, role, PIN, e-mail address and second factor."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.refusals import SecondPersonNeeded
from services.accounts.domain.staff import Manager, StaffAccount, StaffRole
from services.accounts.usecases.end_sessions import end_all
from services.accounts.usecases.issue_pin import issue_pin
from shared.unit_of_work import Work


@dataclass(frozen=True)
class DisableStaff:
    """An account whose holder may not log in until it is enabled again."""

    account_id: str
    by: Manager
    at: datetime
    """Instant by the wall clock."""


@dataclass(frozen=True)
class EnableStaff:
    """A disabled account whose holder may log in again."""

    account_id: str
    by: Manager


@dataclass(frozen=True)
class ChangeRole:
    """An account and its new role."""

    account_id: str
    role: StaffRole
    by: Manager


@dataclass(frozen=True)
class ResetStaffPin:
    """An account whose holder chooses a new PIN with a code, at `at` by the wall clock."""

    account_id: str
    by: Manager
    at: datetime
    pin_hash: str | None = field(default=None, repr=False)
    """Hash of a PIN that an operator at the database has chosen; None: a code is sent."""


@dataclass(frozen=True)
class ChangeStaffEmail:
    """An account and the address to which codes for a new PIN are sent from now on."""

    account_id: str
    email: str = field(repr=False)
    by: Manager


@dataclass(frozen=True)
class RemoveFactor:
    """An account whose holder has lost the app and the recovery codes."""

    account_id: str
    by: Manager


def disable_staff(work: Work, command: DisableStaff) -> StaffAccount:
    """Disable the account and end all its sessions. Raises NoSuchAccount or OwnAccount."""
    holder = _managed(work, command.account_id, command.by)
    if holder.disabled_at is not None:
        return StaffAccount.of(holder)
    return _changed(work, replace(holder, disabled_at=command.at))


def enable_staff(work: Work, command: EnableStaff) -> StaffAccount:
    """Let the account's holder log in again.

    Raises NoSuchAccount, OwnAccount or SecondPersonNeeded.
    """
    holder = _accessed(work, command.account_id, command.by)
    if holder.disabled_at is None:
        return StaffAccount.of(holder)
    return _changed(work, replace(holder, disabled_at=None))


def change_role(work: Work, command: ChangeRole) -> StaffAccount:
    """Give the account another role and end all its sessions, whose tokens have the former one.

    Raises NoSuchAccount, OwnAccount, RoleNotAllowed or SecondPersonNeeded.
    """
    holder = _managed(work, command.account_id, command.by)
    command.by.check_role(command.role)
    if holder.role == command.role:
        return StaffAccount.of(holder)
    return _changed(work, replace(holder, role=command.role))


def reset_staff_pin(work: Work, command: ResetStaffPin) -> StaffAccount:
    """End the account's PIN and all its sessions, unlock its card, and let a code be sent.

    Raises NoSuchAccount, OwnAccount, SecondPersonNeeded or NoStaffAddress.
    """
    holder = _accessed(work, command.account_id, command.by)
    store.attempts.delete_of_card(work, holder.card_digest)
    if command.pin_hash is None:
        issue_pin(work, holder, command.at)
    return _changed(work, holder.with_pin(command.pin_hash or ""))


def change_staff_email(work: Work, command: ChangeStaffEmail) -> StaffAccount:
    """Send codes for a new PIN to another address from now on; codes that were sent end.

    Nobody does this alone: they could get a code, and act in the name of the account. Raises
    NoSuchAccount, OwnAccount or SecondPersonNeeded.
    """
    holder = _managed(work, command.account_id, command.by)
    if not command.by.seconded:
        raise SecondPersonNeeded
    store.pin_resets.delete_of_card(work, holder.card_digest)
    changed = replace(holder, email=command.email, version=holder.version + 1)
    store.save_cardholders(work, changed)
    return StaffAccount.of(changed)


def remove_factor(work: Work, command: RemoveFactor) -> StaffAccount:
    """Remove the account's second factor and end all its sessions.

    Raises NoSuchAccount, OwnAccount or SecondPersonNeeded.
    """
    holder = _accessed(work, command.account_id, command.by)
    return _changed(work, replace(holder, second_factor=None))


def _managed(work: Work, account_id: str, by: Manager) -> Cardholder:
    return by.check_account(store.cardholder(work, account_id))


def _accessed(work: Work, account_id: str, by: Manager) -> Cardholder:
    return by.check_access(store.cardholder(work, account_id))


def _changed(work: Work, holder: Cardholder) -> StaffAccount:
    """Save the account and end its sessions: a log-in at the same time is retried after that."""
    changed = replace(holder, version=holder.version + 1)
    store.save_cardholders(work, changed)
    end_all(work, holder.id)
    return StaffAccount.of(changed)
