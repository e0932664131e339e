"""Withdraw a fine suspension."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import suspension as rules
from services.circulation.domain.refusals.suspensions import NoSuchSuspension
from services.circulation.domain.suspension import FineSuspension
from services.circulation.usecases.events import suspension_events
from shared.unit_of_work import Work


@dataclass(frozen=True)
class WithdrawSuspension:
    """Command to withdraw a suspension; `in_error`: it should never have been recorded."""

    suspension_id: str
    on: date
    in_error: bool
    reason: str


def withdraw_suspension(work: Work, command: WithdrawSuspension) -> FineSuspension:
    """Withdraw the suspension, and publish the resumption of fines.

    Raises NoSuchSuspension, SuspensionWithdrawn or SuspensionOver.
    """
    suspension = store.suspensions.get(work, command.suspension_id)
    if suspension is None:
        raise NoSuchSuspension
    withdrawn = rules.withdraw(
        suspension, on=command.on, in_error=command.in_error, reason=command.reason
    )
    store.suspensions.save(work, withdrawn)
    work.record(suspension_events.resumed(withdrawn, suspension))
    return withdrawn
