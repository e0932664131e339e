"""What notices has now, as its events would tell it: for a view that is built, or checked."""

from collections.abc import Mapping

from services.notices import store
from services.notices.usecases.publish_branch import hours_changed
from services.notices.usecases.publish_notice import published
from services.notices.usecases.tell_patron import snapshot
from shared.contracts.notices import NotificationSnapshot
from shared.http import Snapshot, Told
from shared.mongo import Database, Part


async def branches(db: Database, part: Part) -> Told:
    """Every branch with its hours and closures."""
    found, more = await store.find_branches(db, part)
    return [hours_changed(branch) for branch in found], more


async def notices(db: Database, part: Part) -> Told:
    """Every notice."""
    found, more = await store.find_notices(db, part)
    return [published(notice) for notice in found], more


async def notifications(db: Database, part: Part) -> Told:
    """The notifications that were not read."""
    found, more = await store.find_unread(db, part)
    return [snapshot(NotificationSnapshot, told) for told in found], more


OF_PATRONS: Mapping[str, Snapshot] = {"notifications": notifications}
OF_ALL: Mapping[str, Snapshot] = {"branches": branches, "notices": notices}
