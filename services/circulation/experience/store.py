"""Counts of how long loans and holds took, a document for each month. They name nobody."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from services.circulation.rules.hold import Hold, HoldState
from services.circulation.rules.loan import Loan
from services.circulation.rules.ready_date import Experience, Spread
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database
from shared.unit_of_work import Work

INDEXES: Indexes = {"experience": []}
KEPT_FOR = timedelta(days=366)
"""Time for which what ended is used."""

Counts = Mapping[str, int]
"""Numbers of loans or holds by days."""


@dataclass(frozen=True)
class _Month:
    id: str
    """Month, as `2021-03`."""
    loans: Mapping[str, Counts] = field(default_factory=dict)
    """Loans by category of copies and days, as the next one."""
    late: Mapping[str, Counts] = field(default_factory=dict)
    collections: Counts = field(default_factory=dict)
    holds: int = 0
    dropped: int = 0
    uncollected: int = 0


def count_loan(work: Work, loan: Loan) -> None:
    """Count a loan that was returned."""
    if loan.returned_on is None or loan.lost_on is not None:
        return
    counts = {f"loans.{loan.copy_category}.{(loan.returned_on - loan.borrowed_on).days}": 1}
    late: Counter[int] = Counter({0: loan.renewals})
    if loan.returned_on >= loan.due_on:
        late[(loan.returned_on - loan.due_on).days] += 1
    counts |= {f"late.{loan.copy_category}.{days}": number for days, number in late.items()}
    _count(work, loan.returned_on, counts)


def count_hold(work: Work, hold: Hold) -> None:
    """Count a hold that has ended."""
    if hold.ended_on is None:
        return
    counts = {"holds": 1}
    if hold.ready_on is None:
        counts["dropped"] = 1
    elif hold.state is HoldState.COLLECTED:
        counts[f"collections.{(hold.ended_on - hold.ready_on).days}"] = 1
    else:
        counts["uncollected"] = 1
    _count(work, hold.ended_on, counts)


def _count(work: Work, day: date, counts: Mapping[str, int]) -> None:
    month = f"{day:%Y-%m}"
    work.update("experience", {"_id": month}, {"$inc": dict(counts)}, upsert=True)


async def find(db: Database, day: date) -> Mapping[str, Experience]:
    """Return what is known on a day from the last year, by category of copies."""
    since = {"_id": {"$gte": f"{day - KEPT_FOR:%Y-%m}"}}
    months = await reading.every(db, _Month, "experience", since)
    collections = _sum(month.collections for month in months)
    return {
        category: Experience(
            loans=_sum(month.loans.get(category, {}) for month in months),
            late=_sum(month.late.get(category, {}) for month in months),
            collections=collections,
            holds=sum(month.holds for month in months),
            dropped=sum(month.dropped for month in months),
            uncollected=sum(month.uncollected for month in months),
        )
        for category in {category for month in months for category in month.loans}
    }


def _sum(each: Iterable[Counts]) -> Spread:
    total: Counter[int] = Counter()
    for counts in each:
        total.update({int(days): number for days, number in counts.items()})
    return Spread(total)
