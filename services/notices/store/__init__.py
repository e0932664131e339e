"""Collections and indexes of notices, one module for each subject; only they are named here.

Functions that take a `Work` read and write inside a transaction. Functions that take a `Database`
read outside any transaction; their names begin with `find` or `count`.
"""

from services.notices.store import (
    attachments,
    bank,
    branches,
    closures,
    deliveries,
    drafts,
    enquiries,
    notices,
    notifications,
    occupancy,
    patrons,
    titles,
    visits,
)
from shared.mongo import Indexes
from shared.personal_data import Personal

__all__ = [
    "INDEXES",
    "PERSONAL",
    "attachments",
    "bank",
    "branches",
    "closures",
    "deliveries",
    "drafts",
    "enquiries",
    "notices",
    "notifications",
    "occupancy",
    "patrons",
    "titles",
    "visits",
]

INDEXES: Indexes = {
    **attachments.INDEXES,
    **bank.INDEXES,
    **branches.INDEXES,
    **closures.INDEXES,
    **deliveries.INDEXES,
    **drafts.INDEXES,
    **enquiries.INDEXES,
    **notices.INDEXES,
    **notifications.INDEXES,
    **occupancy.INDEXES,
    **patrons.INDEXES,
    **titles.INDEXES,
    **visits.INDEXES,
}

PERSONAL = (
    Personal(patrons.PATRONS, "_id"),
    Personal(notifications.NOTIFICATIONS),
    Personal(deliveries.DELIVERIES),
    Personal(enquiries.ENQUIRIES, leave_out=("librarian", "notes")),
    # Notes of the staff are not for the patron, nor are the names of librarians.
    Personal(
        enquiries.MESSAGES,
        "enquiry_id",
        part_of=enquiries.ENQUIRIES,
        leave_out=("author",),
        only={"private": False},
    ),
    Personal(attachments.ATTACHMENTS, leave_out=("owner_id", "content_id")),
)
