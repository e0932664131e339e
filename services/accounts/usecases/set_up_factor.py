"""Set up the second factor of an account of staff, confirm it with a first code, and remove it.

The holder's card and PIN were checked before.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.refusals import (
    AccountDisabled,
    BadCredentials,
    CodeNeeded,
    FactorExists,
    NoFactor,
    NoSuchAccount,
    WrongCode,
)
from services.accounts.domain.second_factor import SecondFactor
from services.accounts.domain.staff import PEOPLE
from services.accounts.usecases.app_codes import FactorKeys, after_code
from services.accounts.usecases.end_sessions import end_all
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ConfirmedAccount:
    """An account whose PIN was confirmed."""

    account_id: str
    confirmed_pin: int
    """Version of the PIN that was confirmed: if it has been replaced since, nothing changes."""


@dataclass(frozen=True)
class SetUpFactor(ConfirmedAccount):
    """A second factor for the account, which no code has confirmed yet."""

    factor: SecondFactor


@dataclass(frozen=True)
class UseCode(ConfirmedAccount):
    """A code that confirms or removes the second factor, at `at` by the wall clock."""

    code: str = field(repr=False)
    keys: FactorKeys
    at: datetime


@dataclass(frozen=True)
class ConfirmFactor(UseCode):
    """A first code, and the recovery codes by the id of the factor that they are for."""

    factor_id: str
    recovery: tuple[str, ...] = field(repr=False)
    """Digests of the recovery codes."""


def set_up_factor(work: Work, command: SetUpFactor) -> None:
    """Store a second factor that is not confirmed yet. Raises FactorExists."""
    holder = _holder(work, command)
    if holder.needs_code:
        raise FactorExists
    _save(work, holder, command.factor)


def confirm_factor(work: Work, command: ConfirmFactor) -> None:
    """Ask for codes from now on, and end the sessions that were opened without one.

    Raises NoFactor, FactorExists or WrongCode.
    """
    holder = _holder(work, command)
    factor = holder.second_factor
    if factor is None or factor.id != command.factor_id:
        raise NoFactor
    if factor.confirmed:
        raise FactorExists
    after = after_code(factor, command.code, command.keys, command.at)
    if after is None:
        raise WrongCode
    _save(work, holder, replace(after, confirmed=True, recovery=command.recovery))
    end_all(work, holder.id)


def remove_own_factor(work: Work, command: UseCode) -> None:
    """Ask for no codes any more, such as before a change of the phone. All sessions end.

    Raises NoFactor, CodeNeeded or WrongCode.
    """
    holder = _holder(work, command)
    factor = holder.second_factor
    if factor is None or not factor.confirmed:
        raise NoFactor
    if not command.code:
        raise CodeNeeded
    if after_code(factor, command.code, command.keys, command.at) is None:
        raise WrongCode
    _save(work, holder, None)
    end_all(work, holder.id)


def _holder(work: Work, command: ConfirmedAccount) -> Cardholder:
    holder = store.cardholder(work, command.account_id)
    if holder is None or holder.pin_version != command.confirmed_pin:
        raise BadCredentials
    if holder.role not in PEOPLE:
        raise NoSuchAccount
    if holder.disabled_at is not None:
        raise AccountDisabled
    return holder


def _save(work: Work, holder: Cardholder, factor: SecondFactor | None) -> None:
    changed = replace(holder, second_factor=factor, version=holder.version + 1)
    store.save_cardholders(work, changed)
