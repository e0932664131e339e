"""Scheduled job of the catalogue."""

from shared import folded_terms
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.every(minutes=10)
async def fold_terms(run: Run) -> int:
    """Give search terms that an earlier release stored today's form; return the number changed."""
    return await folded_terms.fold_terms(run.database, "titles")
