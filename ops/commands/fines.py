"""`carrel fines`: calculate and explain fines without any running service."""

import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from rich.console import Console
from rich.text import Text

from ops.statement import show_spans, show_strip
from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.fines import Late, Statement, as_document, statement
from services.circulation.rules.policy import Policy
from services.circulation.rules.suspension import FineSuspension
from services.circulation.rules.terms import MINUTES_OF_DAY, ChargeUnit, FineTier
from shared.contracts.event import dollars

app = typer.Typer(no_args_is_help=True, help="Calculate and explain fines.")

MIN_YEAR, MAX_YEAR = 1900, 2999


def _day(value: object) -> date:
    """Return a day from its ISO text, in a year from MIN_YEAR to MAX_YEAR. Raises ValueError."""
    with suppress(ValueError):
        day = date.fromisoformat(str(value))
        if day.isoformat() == value and MIN_YEAR <= day.year <= MAX_YEAR:
            return day
    raise ValueError(f"should be a day from {MIN_YEAR} to {MAX_YEAR}, written as 2021-03-05")


def _minutes(value: object) -> int:
    """Return the minutes after midnight of a time of day such as 17:30. Raises ValueError."""
    with suppress(ValueError):
        moment = time.fromisoformat(str(value))
        if moment.isoformat("minutes") == value:
            return moment.hour * 60 + moment.minute
    raise ValueError("should be a time of day, written as 17:30")


def _end_of(minutes: int | None) -> int:
    return MINUTES_OF_DAY if minutes is None else minutes


Day = Annotated[date, BeforeValidator(_day)]
Time = Annotated[int, BeforeValidator(_minutes)]
Cents = Annotated[int, Field(ge=0)]
IsoWeekday = Annotated[int, Field(ge=1, le=7)]


class Input(BaseModel):
    """The base of case files: only the declared fields, with exactly their types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Tier(Input):
    """Another rate, from a charge period on."""

    from_period: Annotated[int, Field(ge=2)]
    cents: Cents


class PolicyTerms(Input):
    """The fields of a policy row that a fine depends on; those with a default may be left out."""

    fine_per_day_cents: Cents
    cap_cents: Cents | None
    grace_days: Annotated[int, Field(ge=0)]
    count_closed_days: bool
    charge_every: Annotated[int, Field(ge=1)] = 1
    charge_unit: ChargeUnit = "day"
    charge_completed: bool = False
    fine_tiers: tuple[Tier, ...] = ()
    fine_minimum_cents: Cents = 0
    fine_cap_at_price: bool = False
    patron_fine_cap_cents: Cents | None = None
    grace_forgiven: bool = False
    grace_minutes: Annotated[int, Field(ge=0)] = 0

    def row(self, price_cents: int | None, unpaid_cents: int) -> Policy:
        """Return the policy row, with its cap for a copy of this price and these unpaid fines."""
        terms = self.model_dump(exclude={"cap_cents", "fine_tiers"})
        tiers = tuple(FineTier(tier.from_period, tier.cents) for tier in self.fine_tiers)
        row = Policy(id="policy", fine_cap_cents=self.cap_cents, fine_tiers=tiers, **terms)
        return row.at_price(price_cents).with_unpaid(unpaid_cents)


class ClosureSpan(Input):
    """A closure, from its first closed day to its first open day."""

    from_: Annotated[Day, Field(alias="from")]
    reopened_on: Day | None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.reopened_on and self.reopened_on < self.from_:
            raise ValueError("reopened_on is before from")
        return self


class CalendarTerms(Input):
    """A branch's calendar. Weekdays are ISO: 1 is Monday, 7 is Sunday."""

    weekly_closed: tuple[IsoWeekday, ...]
    closures: tuple[ClosureSpan, ...]


class SuspensionSpan(Input):
    """A fine suspension, from its first free day to the first day on which fines count again."""

    starts_on: Day
    resumes_on: Day | None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.resumes_on and self.resumes_on < self.starts_on:
            raise ValueError("resumes_on is before starts_on")
        return self


class Case(Input):
    """A loan with everything that its fine depends on. Its `expect` is ignored."""

    name: str = ""
    policy: PolicyTerms
    calendar: CalendarTerms
    suspensions: tuple[SuspensionSpan, ...]
    due_on: Day
    returned_on: Day
    due_time: Time | None = None
    """With a loan by hours, the time of day at which it is due, such as 17:30."""
    returned_time: Time | None = None
    """The time of day of its return; without it, the end of the day."""
    price_cents: Cents | None = None
    unpaid_fines_cents: Cents = 0
    """Fines that the patron owes already."""
    expect: Any = None

    def statement(self) -> Statement:
        """Return the case's fine. Its causes are named by their places in the file."""
        calendar = Calendar(
            branch_code="calendar",
            branch_kind="",
            weekly_closed=frozenset(self.calendar.weekly_closed),
            closures=tuple(
                Closure(
                    id=f"closures[{at}]",
                    starts_on=closure.from_,
                    reopened_on=closure.reopened_on,
                    reason=f"closed {_until(closure.reopened_on)}",
                )
                for at, closure in enumerate(self.calendar.closures)
            ),
        )
        suspensions = [
            FineSuspension(
                id=f"suspensions[{at}]",
                starts_on=span.starts_on,
                resumes_on=span.resumes_on,
                reason=f"suspended {_until(span.resumes_on)}",
            )
            for at, span in enumerate(self.suspensions)
        ]
        return statement(
            due_on=self.due_on,
            until=self.returned_on,
            policy=self.policy.row(self.price_cents, self.unpaid_fines_cents),
            calendar=calendar,
            suspensions=suspensions,
            late=None
            if self.due_time is None
            else Late(self.due_time, _end_of(self.returned_time)),
        )


class Cases(Input):
    """A table of cases."""

    cases: tuple[Case, ...] = Field(min_length=1)


@app.callback()
def fines() -> None:
    """Calculate and explain fines."""


@app.command()
def explain(
    case: Annotated[str, typer.Argument(metavar="CASE.json", help="A file; - for standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Explain the fine of a case, day by day: which days are free or charged, and why.

    CASE.json holds one case (due_on, returned_on, policy, calendar, suspensions)
    or a table of them under "cases".
    """
    try:
        read = _read(case)
    except _Unreadable as error:
        Console(stderr=True, soft_wrap=True).print(Text(f"{case}: {error}"))
        raise typer.Exit(1) from error
    several = isinstance(read, Cases)
    cases = read.cases if isinstance(read, Cases) else (read,)
    if as_json:
        documents = [as_document(each.statement()) for each in cases]
        typer.echo(json.dumps(documents if several else documents[0], indent=2))
        return
    console = Console()
    for each in cases:
        _show(console, each, each.statement())


class _Unreadable(Exception):
    """The file holds no valid case; the text names each faulty field."""


def _read(path: str) -> Case | Cases:
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        document = json.loads(raw)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"is not JSON: {error}") from error
    model = Cases if isinstance(document, dict) and "cases" in document else Case
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        faults = [f"{_place(fault['loc'], document)}: {_plain(fault)}" for fault in error.errors()]
        raise _Unreadable("\n  ".join(["is not a case of a fine:", *faults])) from error


def _plain(fault: ErrorDetails) -> str:
    match fault["type"]:
        case "extra_forbidden":
            return "is not a field of a case"
        case "missing":
            return "is missing"
        case "too_short":
            return "is empty"
    return fault["msg"].removeprefix("Value error, ")


def _place(path: tuple[int | str, ...], document: object) -> str:
    """Return the place of a fault, such as `cases[2] (late by a day): policy.grace_days`."""
    match path, document:
        case ("cases", int(at), *within), {"cases": [*cases]}:
            named = cases[at].get("name") if isinstance(cases[at], dict) else None
            case = f"cases[{at}] ({named})" if named else f"cases[{at}]"
            return f"{case}: {_dotted(within)}" if within else case
    return _dotted(path) or "the document"


def _dotted(path: Iterable[int | str]) -> str:
    """Return a path such as `calendar.closures[0].from`."""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).removeprefix(".")


def _until(day: date | None) -> str:
    return f"until {day}" if day else "with no end announced"


def _show(console: Console, case: Case, fine: Statement) -> None:
    """Show a statement to people: the amount, a strip of days, and a table of spans."""
    console.rule(Text(case.name or "Fine", style="bold"), align="left")
    console.print(f"Due {case.due_on}, returned {case.returned_on}.", highlight=False)
    if fine.due_on is None:
        console.print("The branch is closed with no reopening announced: the loan is not overdue.")
    elif fine.due_on != case.due_on:
        console.print(
            f"The branch was closed that day; it counts as due {fine.due_on}.", highlight=False
        )
    days = "day" if fine.charged_days == 1 else "days"
    console.print(
        f"Owed: [bold]{dollars(fine.amount_cents)}[/bold] for {fine.charged_days} {days}.\n",
        highlight=False,
    )
    if fine.spans:
        show_strip(console, fine.spans)
        show_spans(console, fine.spans)
