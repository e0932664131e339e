"""Notice that a loan is overdue, on set days after its due date, once for each."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import overdue as rules
from services.circulation.usecases.events import loan_events
from services.circulation.usecases.steps.loan_to_notice import loan_to_notice
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoticeOverdue:
    """Command to give a loan the overdue notice that is due on `on`.

    `days` are the days after the due date on which notices are given.
    """

    loan_id: str
    on: date
    days: tuple[int, ...]


def notice_overdue(work: Work, command: NoticeOverdue) -> bool:
    """Give the overdue notice that is due, if any; return whether one was given.

    Of two calls at the same time, one returns True.
    """
    known = loan_to_notice(work, command.loan_id)
    if known is None:
        return False
    number = rules.overdue_notice(known.loan, known.calendar, command.on, command.days)
    if number is None:
        return False
    noticed = rules.notice_overdue(known.loan, on=command.on, number=number)
    store.loans.save(work, [noticed])
    work.record(loan_events.overdue(noticed, on=command.on, number=number))
    return True
