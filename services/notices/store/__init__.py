"""Collections and indexes of notices, one module for each subject; only they are named here.

Functions that take a `Work` read and write inside a transaction. Functions that take a `Database`
read outside any transaction; their names begin with `find` or `count`.
"""

from services.notices.store import (
    attachments,
    bank,
    branches,
    closures,
    enquiries,
    notices,
    notifications,
    patrons,
    titles,
)
from shared.mongo import Indexes

__all__ = [
    "INDEXES",
    "attachments",
    "bank",
    "branches",
    "closures",
    "enquiries",
    "notices",
    "notifications",
    "patrons",
    "titles",
]

INDEXES: Indexes = {
    **attachments.INDEXES,
    **bank.INDEXES,
    **branches.INDEXES,
    **closures.INDEXES,
    **enquiries.INDEXES,
    **notices.INDEXES,
    **notifications.INDEXES,
    **patrons.INDEXES,
    **titles.INDEXES,
}
