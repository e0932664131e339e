"""Collections and indexes of circulation: the only place that names them, a module a subject.

Functions that take a `Work` read and write inside a transaction; those that take a `Database` and
begin with `find` read outside any.
"""

from services.circulation.store import (
    calendars,
    charges,
    conflicts,
    double,
    history,
    holds,
    loans,
    patrons,
    payments,
    policies,
    reworks,
    suspensions,
    sweeps,
    titles,
)
from shared.mongo import Indexes

__all__ = [
    "INDEXES",
    "calendars",
    "charges",
    "conflicts",
    "double",
    "history",
    "holds",
    "loans",
    "patrons",
    "payments",
    "policies",
    "reworks",
    "suspensions",
    "sweeps",
    "titles",
]

INDEXES: Indexes = {
    **titles.INDEXES,
    **policies.INDEXES,
    **patrons.INDEXES,
    **calendars.INDEXES,
    **loans.INDEXES,
    **charges.INDEXES,
    **conflicts.INDEXES,
    **payments.INDEXES,
    **double.INDEXES,
    **holds.INDEXES,
    **history.INDEXES,
    **suspensions.INDEXES,
    **reworks.INDEXES,
    **sweeps.INDEXES,
}
