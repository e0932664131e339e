"""Collections and indexes of notices, one module for each subject; only they are named here.

Functions that take a `Work` read and write inside a transaction. Functions that take a `Database`
read outside any transaction; their names begin with `find` or `count`.
"""

from services.notices.store import (
    bank,
    branches,
    closures,
    enquiries,
    notices,
    notifications,
    occupancy,
    patrons,
    titles,
    visits,
)
from shared.mongo import Indexes

__all__ = [
    "INDEXES",
    "bank",
    "branches",
    "closures",
    "enquiries",
    "notices",
    "notifications",
    "occupancy",
    "patrons",
    "titles",
    "visits",
]

INDEXES: Indexes = {
    **bank.INDEXES,
    **branches.INDEXES,
    **closures.INDEXES,
    **enquiries.INDEXES,
    **notices.INDEXES,
    **notifications.INDEXES,
    **occupancy.INDEXES,
    **patrons.INDEXES,
    **titles.INDEXES,
    **visits.INDEXES,
}
