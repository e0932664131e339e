"""Notice that a loan is due soon, once for each due date."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import overdue as rules
from services.circulation.usecases.events import loan_events
from services.circulation.usecases.steps.loan_to_notice import loan_to_notice
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoticeDueSoon:
    """Command to notice a loan if it is due within `days` days from `on`."""

    loan_id: str
    on: date
    days: int


def notice_due_soon(work: Work, command: NoticeDueSoon) -> bool:
    """Notice the loan if it is due soon and was not noticed yet; return whether it was noticed now.

    Of two calls at the same time, one returns True.
    """
    known = loan_to_notice(work, command.loan_id)
    if known is None or not rules.is_due_soon(known.loan, known.calendar, command.on, command.days):
        return False
    noticed = rules.notice_due_soon(known.loan, on=command.on)
    store.loans.save(work, [noticed])
    work.record(loan_events.due_soon(noticed, on=command.on))
    return True
