"""Manage an account of staff or a machine: disable, enable, another role or PIN, no codes."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.staff import Manager, StaffAccount, StaffRole
from services.accounts.usecases.end_sessions import end_all
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
    """An account and its new PIN, already hashed."""

    account_id: str
    pin_hash: str = field(repr=False)
    by: Manager


@dataclass(frozen=True)
class RemoveFactor:
    """An account whose holder has lost the app and the recovery codes."""

    account_id: str
    by: Manager


async def disable_staff(work: Work, command: DisableStaff) -> StaffAccount:
    """Disable the account and end all its sessions. Raises NoSuchAccount or OwnAccount."""
    holder = await _managed(work, command.account_id, command.by)
    if holder.disabled_at is not None:
        return StaffAccount.of(holder)
    return await _changed(work, replace(holder, disabled_at=command.at))


async def enable_staff(work: Work, command: EnableStaff) -> StaffAccount:
    """Let the account's holder log in again. Raises NoSuchAccount or OwnAccount."""
    holder = await _managed(work, command.account_id, command.by)
    if holder.disabled_at is None:
        return StaffAccount.of(holder)
    return await _changed(work, replace(holder, disabled_at=None))


async def change_role(work: Work, command: ChangeRole) -> StaffAccount:
    """Give the account another role and end all its sessions, whose tokens have the former one.

    Raises NoSuchAccount, OwnAccount or RoleNotAllowed.
    """
    holder = await _managed(work, command.account_id, command.by)
    command.by.check_role(command.role)
    if holder.role == command.role:
        return StaffAccount.of(holder)
    return await _changed(work, replace(holder, role=command.role))


async def reset_staff_pin(work: Work, command: ResetStaffPin) -> StaffAccount:
    """Replace the account's PIN, end all its sessions and unlock its card.

    Raises NoSuchAccount or OwnAccount.
    """
    holder = await _managed(work, command.account_id, command.by)
    await store.attempts.delete_of_card(work, holder.card_digest)
    return await _changed(work, holder.with_pin(command.pin_hash))


async def remove_factor(work: Work, command: RemoveFactor) -> StaffAccount:
    """Remove the account's second factor and end all its sessions.

    Raises NoSuchAccount or OwnAccount.
    """
    holder = await _managed(work, command.account_id, command.by)
    return await _changed(work, replace(holder, second_factor=None))


async def _managed(work: Work, account_id: str, by: Manager) -> Cardholder:
    return by.check_account(await store.cardholder(work, account_id))


async def _changed(work: Work, holder: Cardholder) -> StaffAccount:
    """Save the account and end its sessions: a log-in at the same time is retried after that."""
    changed = replace(holder, version=holder.version + 1)
    await store.save_cardholders(work, changed)
    await end_all(work, holder.id)
    return StaffAccount.of(changed)
