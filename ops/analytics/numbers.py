"""The numbers of a report: those of a folder of tables from one day to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from ops.analytics.views import VIEWS
from shared.contracts.event import dollars

_SPAN = """
    SELECT min(business_day), max(business_day)
    FROM (
        SELECT business_day FROM loan_changes
        UNION ALL SELECT business_day FROM charges_by_day
        UNION ALL SELECT placed_on FROM holds
    )
"""
_DAYS = """
    SELECT day::DATE AS business_day
    FROM generate_series($first::DATE, $last::DATE, INTERVAL 1 DAY) AS days(day)
"""
_LENDING = f"""
    SELECT
        business_day,
        coalesce(sum(check_outs), 0)::BIGINT,
        coalesce(sum(renewals), 0)::BIGINT,
        coalesce(sum(returns), 0)::BIGINT
    FROM ({_DAYS}) LEFT JOIN lending_by_day USING (business_day)
    GROUP BY business_day ORDER BY business_day
"""  # noqa: S608
_OVERDUE = f"""
    SELECT
        business_day,
        coalesce(sum(open_loans), 0)::BIGINT,
        coalesce(sum(overdue_loans), 0)::BIGINT
    FROM ({_DAYS}) LEFT JOIN overdue_by_day USING (business_day)
    GROUP BY business_day ORDER BY business_day
"""  # noqa: S608
_CLOSED = f"""
    SELECT business_day, count(DISTINCT branch)
    FROM ({_DAYS}) LEFT JOIN closures
        ON NOT in_error AND first_closed_day <= business_day
        AND (reopened_on IS NULL OR business_day < reopened_on)
    GROUP BY business_day ORDER BY business_day
"""  # noqa: S608
_MONTHS = """
    SELECT
        strftime(business_day, '%Y-%m') AS month,
        sum(check_outs)::BIGINT,
        sum(renewals)::BIGINT,
        sum(returns)::BIGINT
    FROM lending_by_day WHERE business_day BETWEEN $first AND $last
    GROUP BY month ORDER BY month
"""
_CLOSURES = """
    SELECT
        first_closed_day,
        reopened_on,
        reason,
        count(*),
        sum(due_dates_moved)::BIGINT
    FROM closures
    WHERE NOT in_error AND first_closed_day <= $last
        AND (reopened_on IS NULL OR reopened_on > $first)
    GROUP BY first_closed_day, reopened_on, reason
    ORDER BY first_closed_day, reopened_on, reason
"""
_CHARGES = """
    SELECT
        charge_kind,
        sum(assessed_cents)::BIGINT,
        sum(forgiven_cents)::BIGINT,
        sum(credited_cents)::BIGINT,
        sum(waived_cents)::BIGINT,
        sum(paid_cents)::BIGINT,
        sum(refunded_cents)::BIGINT
    FROM charges_by_day WHERE business_day BETWEEN $first AND $last
    GROUP BY charge_kind ORDER BY charge_kind
"""
_WAITS = """
    SELECT days_waited FROM holds
    WHERE placed_on BETWEEN $first AND $last AND days_waited IS NOT NULL
"""
_HOLDS = """
    SELECT state, count(*), median(days_waited)
    FROM holds WHERE placed_on BETWEEN $first AND $last
    GROUP BY state ORDER BY state
"""
_TITLES = """
    SELECT title, count(*) AS check_outs
    FROM loan_changes JOIN titles USING (title_id)
    WHERE topic = 'loan.checked-out' AND business_day BETWEEN $first AND $last
    GROUP BY title_id, title ORDER BY check_outs DESC, title LIMIT 10
"""
MONEY = ("assessed", "forgiven", "credited", "waived", "paid", "refunded")

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Table:
    """A table of the report: its caption, the heads of its columns, and its rows."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str | int]]


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """All numbers of a report. Rows of days have one row for each day, in order."""

    first: date
    last: date
    lending: Rows
    """Day, check-outs, renewals, returns."""
    overdue: Rows
    """Day, open loans, overdue loans."""
    closed: Rows
    """Day, closed branches."""
    charges: Rows
    """Kind of charge, and cents as in MONEY."""
    waits: Sequence[int]
    """Days that patrons waited for a reserved copy."""
    tables: Sequence[Table]


def numbers_of(folder: Path, first: date | None, last: date | None) -> Numbers | None:
    """Return the numbers from one day to another, within the days of loans, charges and holds.

    Without a first or last day, those of all these count. Returns None if no day is left.
    """
    with duckdb.connect(str(folder / VIEWS), read_only=True) as database:
        [(begins, ends)] = database.execute(_SPAN).fetchall()
        if begins is None:
            return None
        first, last = max(first or begins, begins), min(last or ends, ends)
        if first > last:
            return None

        def rows(query: str) -> Rows:
            span = {"first": first, "last": last}
            found: Rows = database.execute(query, span).fetchall()
            return found

        charges = rows(_CHARGES)
        return Numbers(
            first=first,
            last=last,
            lending=rows(_LENDING),
            overdue=rows(_OVERDUE),
            closed=rows(_CLOSED),
            charges=charges,
            waits=[wait for (wait,) in rows(_WAITS)],
            tables=[
                Table("Lending", ("month", "check-outs", "renewals", "returns"), rows(_MONTHS)),
                Table("Most lent titles", ("title", "check-outs"), rows(_TITLES)),
                _closures(rows(_CLOSURES)),
                Table(
                    "Charges",
                    ("kind", *MONEY),
                    [(kind, *map(dollars, cents)) for kind, *cents in charges],
                ),
                Table(
                    "Reservations",
                    ("state", "reservations", "median days until ready"),
                    [
                        (state, count, "" if days is None else f"{days:g}")
                        for state, count, days in rows(_HOLDS)
                    ],
                ),
            ],
        )


def _closures(rows: Rows) -> Table:
    return Table(
        "Closures",
        ("first closed day", "open again", "reason", "libraries", "due dates moved"),
        [
            (str(begins), str(ends or "not announced"), reason, count, moved)
            for begins, ends, reason, count, moved in rows
        ],
    )
