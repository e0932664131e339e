"""Collections and indexes of circulation, one module for each subject; only they are named here.

Functions that take a `Work` read and write inside a transaction. Functions that take a `Database`
read outside any transaction; their names usually begin with `find`.
"""

from services.circulation.store import (
    calendars,
    charges,
    conflicts,
    double,
    facts,
    family,
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
from shared.personal_data import Personal

__all__ = [
    "INDEXES",
    "PERSONAL",
    "calendars",
    "charges",
    "conflicts",
    "double",
    "facts",
    "family",
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
    **family.INDEXES,
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

PERSONAL = (
    Personal("patrons", "_id", leave_out=("card_digest",)),
    Personal("borrowers", "_id"),
    Personal("links"),
    Personal("loans"),
    Personal("holds"),
    Personal("charges"),
    Personal("entries", "charge_id", part_of="charges", leave_out=("by",)),
    Personal("payments", "parts.charge_id", part_of="charges"),
    Personal("refunds", leave_out=("by",)),
    Personal("conflicts"),
    Personal("readers", "_id"),
    Personal("history"),
)
