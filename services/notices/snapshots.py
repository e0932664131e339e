"""Snapshots of the service's present data, in the form of its events, to build or check views."""

from collections.abc import Mapping

from services.notices.branches import store as branches_store
from services.notices.branches.events import hours_changed
from services.notices.enquiries.events import enquiry_snapshot as snapshot_of_enquiry
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.messages.events import notification_snapshot
from services.notices.notices import store as notices_store
from services.notices.notices.events import notice_snapshot as snapshot_of_notice
from services.notices.patrons import store as patrons_store
from shared.contracts.notices import EnquirySnapshot, NoticeSnapshot, NotificationSnapshot
from shared.http.service import Snapshot, SnapshotPage
from shared.mongo import Database, SnapshotQuery


async def branches(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a part of the branches, with their hours and closures."""
    found, more = await branches_store.find_page(db, query)
    return [hours_changed(branch) for branch in found], more


async def notices(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a part of the notices, with the tombstones of withdrawn ones."""
    found, more = await notices_store.find_page(db, query)
    return [snapshot_of_notice(NoticeSnapshot, notice) for notice in found], more


async def notifications(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a part of the unread notifications."""
    found, more = await patrons_store.find_unread(db, query)
    return [
        notification_snapshot(NotificationSnapshot, notification) for notification in found
    ], more


async def enquiries(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a part of the open enquiries."""
    found, more = await enquiries_store.find_open(db, query)
    return [snapshot_of_enquiry(EnquirySnapshot, enquiry) for enquiry in found], more


OF_PATRONS: Mapping[str, Snapshot] = {"notifications": notifications, "enquiries": enquiries}
OF_ALL: Mapping[str, Snapshot] = {"branches": branches, "notices": notices}
