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
    devices,
    drafts,
    enquiries,
    guests,
    notices,
    notifications,
    occupancy,
    patrons,
    ready_delays,
    titles,
    visits,
    webhooks,
    wordings,
)
from shared import folded_terms
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
    "devices",
    "drafts",
    "enquiries",
    "guests",
    "notices",
    "notifications",
    "occupancy",
    "patrons",
    "ready_delays",
    "titles",
    "visits",
    "webhooks",
    "wordings",
]

INDEXES: Indexes = {
    **attachments.INDEXES,
    **bank.INDEXES,
    **branches.INDEXES,
    **closures.INDEXES,
    **deliveries.INDEXES,
    **devices.INDEXES,
    **drafts.INDEXES,
    **enquiries.INDEXES,
    **guests.INDEXES,
    **notices.INDEXES,
    **notifications.INDEXES,
    **occupancy.INDEXES,
    **patrons.INDEXES,
    **ready_delays.INDEXES,
    **folded_terms.INDEXES,
    **titles.INDEXES,
    **visits.INDEXES,
    **webhooks.INDEXES,
    **wordings.INDEXES,
}

PERSONAL = (
    Personal(patrons.PATRONS, "_id"),
    Personal(notifications.NOTIFICATIONS),
    Personal(deliveries.DELIVERIES),
    Personal(devices.SUBSCRIPTIONS, leave_out=("slot", "public_key", "auth")),
    Personal(devices.MESSAGES),
    Personal(webhooks.MESSAGES, leave_out=("webhook_id",)),
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
