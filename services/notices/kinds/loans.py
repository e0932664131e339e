"""Notifications about a loan: due soon, overdue, moved by a closure, or lost."""

from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar, Self

from pydantic import BaseModel

from services.notices.kinds.kind import Kind, Known
from services.notices.language import Language
from shared.clock import library_day
from shared.contracts.circulation import (
    LoanDueDateChanged,
    LoanDueSoon,
    LoanLost,
    LoanOverdue,
    LoanRenewed,
    ReceiptRequested,
)
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run

ITEM = marked("An item that you borrowed")
"""Replaces a title that is not known yet."""


class FineStatement(BaseModel):
    """Circulation's response: a loan's fine on a day."""

    as_of: date
    amount_cents: int
    suspended: bool
    resumes_on: date | None = None
    overdue: bool


class Loan(BaseModel):
    """Circulation's response: a loan in its present state."""

    state: str
    due_on: date


async def _loan(loan_id: str, run: Run) -> Loan | None:
    """Return a loan in its present state, None if circulation does not know it."""
    answer = await run.owners.get("circulation", path_to("v1", "loans", loan_id), now=run.now)
    return None if answer is None else Loan.model_validate(answer)


async def _statement(loan_id: str, run: Run) -> FineStatement | None:
    """Return a loan's fine today; None if circulation does not count it as overdue."""
    today = library_day(run.now, run.settings.zone)
    answer = await run.owners.get(
        "circulation",
        path_to("v1", "loans", loan_id, "fine-statement"),
        now=run.now,
        params={"as_of": today.isoformat()},
    )
    statement = None if answer is None else FineStatement.model_validate(answer)
    return statement if statement and statement.overdue else None


@dataclass(frozen=True, kw_only=True)
class OfLoan(Kind):
    """The facts of every notification about a loan."""

    loan_id: str
    title_id: str

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the title of the item."""
        return {"title": language.quoted(known.titles.get(self.title_id), ITEM)}


@dataclass(frozen=True, kw_only=True)
class WhileDue(OfLoan):
    """The facts of every notification that is true while a loan has a due date."""

    due_on: date

    async def current(self, run: Run) -> Self | None:
        """Return the same facts unless the loan was returned, renewed or moved."""
        loan = await _loan(self.loan_id, run)
        return self if loan and (loan.state, loan.due_on) == ("open", self.due_on) else None


@dataclass(frozen=True, kw_only=True)
class DueSoon(WhileDue, events=[LoanDueSoon], name=marked("Item due soon")):
    """A notification of a loan that is due soon, unless it was returned or renewed by now."""

    renews: bool = False
    """True if the loan is to be renewed on that day, unless somebody waits for it then."""

    @classmethod
    async def of(cls, event: LoanDueSoon, run: Run) -> Self | None:
        """Return the facts of the loan if it still is as the event says."""
        loan = await _loan(event.loan_id, run)
        if loan is None or (loan.state, loan.due_on) != ("open", event.due_on):
            return None
        return cls.from_event(event)

    async def useful_until(self, run: Run) -> date | None:
        """Return the due date."""
        return self.due_on

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the due date, and with an automatic renewal if there is one."""
        if self.renews:
            return [
                marked("{title} is due on {due_on}."),
                marked(
                    "It's renewed automatically on that day, unless another reader waits for it "
                    "or your account is blocked. You get a message if it's renewed."
                ),
            ]
        return [marked("{title} is due on {due_on}. Please return or renew it by then.")]


@dataclass(frozen=True, kw_only=True)
class Receipt(Kind, events=[ReceiptRequested], name=marked("Receipt")):
    """A receipt of what a patron borrowed on one day at a library, which they asked for there."""

    urgent: ClassVar[bool] = True

    branch: str
    other_titles: tuple[str, ...] | None = None
    """Ids of the titles, in the order of borrowing."""
    due: tuple[str, ...] | None = None
    """Due date of each, in ISO 8601."""

    @classmethod
    async def of(cls, event: ReceiptRequested, run: Run) -> Self:
        """Return the titles and due dates of the loans."""
        return cls(
            branch=event.branch,
            other_titles=tuple(loan.title_id for loan in event.loans),
            due=tuple(loan.due_on.isoformat() for loan in event.loans),
        )

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the name of the library, and the items with their due dates."""
        items = [
            f"{language.quoted(known.titles.get(title_id), ITEM)} "
            f"({language.day(date.fromisoformat(due))})"
            for title_id, due in zip(self.other_titles or (), self.due or (), strict=True)
        ]
        branch = known.branches.get(self.branch, self.branch)
        return {"branch": branch, "items": language.listed(items or [language.say(ITEM)])}

    def texts(self, known: Known) -> list[str]:
        """Return a sentence with the items and the day on which each is due."""
        return [marked("Borrowed at {branch}, each with its due date: {items}.")]


@dataclass(frozen=True, kw_only=True)
class RenewedAutomatically(
    WhileDue, events=[LoanRenewed], name=marked("Item renewed automatically")
):
    """A notification of a loan that was renewed on its due date; others know what they renewed."""

    @classmethod
    async def of(cls, event: LoanRenewed, run: Run) -> Self | None:
        """Return the facts of an automatic renewal; None for any other."""
        return cls.from_event(event) if event.automatic else None

    sentences = (marked("{title} was renewed automatically and is now due on {due_on}."),)


@dataclass(frozen=True, kw_only=True)
class Overdue(OfLoan, events=[LoanOverdue], name=marked("Item overdue")):
    """A notification of an overdue loan with its fine at this moment."""

    by_post = True

    due_on: date
    notice: int | None = None
    """Ordinal of this overdue notice; None for the first."""
    as_of: date
    """Day for which the amount is computed."""
    suspended: bool
    """True if fines are suspended for this loan; then no amount is named."""
    amount_cents: int | None = None
    resumes_on: date | None = None

    @classmethod
    async def of(cls, event: LoanOverdue, run: Run) -> Self | None:
        """Return the loan with the fine of its statement, so that it agrees with the account.

        None if circulation no longer knows the loan, or no longer counts it as overdue.
        """
        statement = await _statement(event.loan_id, run)
        if statement is None:
            return None
        return cls.from_event(
            event,
            notice=event.notice if event.notice > 1 else None,
            as_of=statement.as_of,
            suspended=statement.suspended,
            amount_cents=None if statement.suspended else statement.amount_cents,
            resumes_on=statement.resumes_on if statement.suspended else None,
        )

    async def current(self, run: Run) -> Self | None:
        """Return the loan with its fine now; None if it was returned or renewed."""
        statement = await _statement(self.loan_id, run)
        if statement is None:
            return None
        return replace(
            self,
            as_of=statement.as_of,
            suspended=statement.suspended,
            amount_cents=None if statement.suspended else statement.amount_cents,
            resumes_on=statement.resumes_on if statement.suspended else None,
        )

    def texts(self, known: Known) -> list[str]:
        """Return sentences that the loan is overdue, with its fine unless fines are suspended."""
        overdue = marked("{title} was due on {due_on} and is overdue. Please return or renew it.")
        if self.notice is not None:
            overdue = marked(
                "Reminder {notice}: {title} was due on {due_on} and is still overdue. Please "
                "return or renew it."
            )
        if self.suspended:
            return [overdue, *self._suspended()]
        if self.amount_cents:
            return [
                overdue,
                marked(
                    "Your fine up to {as_of}: {amount}. Pay it after you return or renew the item."
                ),
            ]
        return [overdue, marked("You have no fine up to {as_of}.")]

    def _suspended(self) -> list[str]:
        suspended = marked("Fines are suspended, so none is added now.")
        again = marked("They restart on {resumes_on}.")
        return [suspended, again] if self.resumes_on else [suspended]


@dataclass(frozen=True, kw_only=True)
class DueDateMoved(WhileDue, events=[LoanDueDateChanged], name=marked("Due date changed")):
    """A notification of a due date that a closure has moved."""

    previous_due_on: date

    @property
    def is_usual(self) -> bool:
        """False if the due date is earlier than before, since a closure was announced in error."""
        return self.due_on >= self.previous_due_on

    def texts(self, known: Known) -> list[str]:
        """Return a sentence with both dates. Only the correction of an error moves one earlier."""
        if not self.is_usual:
            return [
                marked(
                    "{title} is due on {due_on} again instead of {previous_due_on}: a closure of "
                    "the library was announced in error."
                )
            ]
        return [
            marked(
                "{title} is now due on {due_on} instead of {previous_due_on}, because the library "
                "is closed."
            )
        ]


@dataclass(frozen=True, kw_only=True)
class Lost(OfLoan, events=[LoanLost], name=marked("Item lost")):
    """A notification of a loan recorded as lost, unless it has been found by now.

    If its price is charged, the notification of the charge says it.
    """

    by_post = True

    @classmethod
    async def of(cls, event: LoanLost, run: Run) -> Self | None:
        """Return the facts of the loan if it still is lost and its price is not charged."""
        if event.charged:
            return None
        loan = await _loan(event.loan_id, run)
        if loan is None or loan.state != "lost":
            return None
        return cls.from_event(event)

    async def current(self, run: Run) -> Self | None:
        """Return the same facts unless the item was found."""
        loan = await _loan(self.loan_id, run)
        return self if loan and loan.state == "lost" else None

    sentences = (marked("{title} is recorded as lost. If you find it, please bring it back."),)
