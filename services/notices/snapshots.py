"""Snapshots of the service's present data, in the form of its events, to build or check views."""

from collections.abc import Mapping

from services.notices import store
from services.notices.usecases.notify_patron import snapshot
from services.notices.usecases.publish_branch import hours_changed
from services.notices.usecases.publish_enquiry import snapshot as snapshot_of_enquiry
from services.notices.usecases.publish_notice import snapshot as snapshot_of_notice
from shared.contracts.notices import EnquirySnapshot, NoticeSnapshot, NotificationSnapshot
from shared.http.service import Snapshot, SnapshotPage
from shared.mongo import Database, SnapshotQuery


async def branches(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a part of the branches, with their hours and closures."""
    found, more = await store.branches.find_page(db, query)
    return [hours_changed(branch) for branch in found], more


async def notices(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a part of the notices, with the tombstones of withdrawn ones."""
    found, more = await store.notices.find_page(db, query)
    return [snapshot_of_notice(NoticeSnapshot, notice) for notice in found], more


async def notifications(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a part of the unread notifications."""
    found, more = await store.notifications.find_unread(db, query)
    return [snapshot(NotificationSnapshot, told) for told in found], more


async def enquiries(db: Database, query: SnapshotQuery) -> SnapshotPage:
    """Return a part of the open enquiries."""
    found, more = await store.enquiries.find_open(db, query)
    return [snapshot_of_enquiry(EnquirySnapshot, enquiry) for enquiry in found], more


OF_PATRONS: Mapping[str, Snapshot] = {"notifications": notifications, "enquiries": enquiries}
OF_ALL: Mapping[str, Snapshot] = {"branches": branches, "notices": notices}
