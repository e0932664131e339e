"""Reads of notices and drafts."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from services.notices.branches import store as branches_store
from services.notices.notices import store
from services.notices.notices.refusals import NoSuchDraft, NoSuchNotice
from services.notices.notices.rules import EarlierNotice, Notice, NoticeDraft
from services.notices.refusals import BadCursor
from shared.http.paging import Page, page_of
from shared.mongo import Database
from shared.refusals import or_refuse

MOST_EARLIER = 100
"""Number of earlier versions that are read; a notice has no more."""


async def names(db: Database, notices: Iterable[Notice], language: str) -> dict[str, str]:
    """Return the names of the branches that notices are about in a language, by code."""
    codes = {code for one in notices for code in one.branches}
    return await branches_store.find_names(db, codes, language)


async def get(db: Database, notice_id: str) -> Notice:
    """Return the notice with this id. Raises NoSuchNotice."""
    return or_refuse(await store.find_one(db, notice_id), NoSuchNotice)


async def earlier(db: Database, notice_id: str) -> list[EarlierNotice]:
    """Return the texts that amendments replaced, the newest first. Raises NoSuchNotice."""
    notice = await get(db, notice_id)
    return await store.find_earlier(db, notice.id, MOST_EARLIER)


async def newest_notices(db: Database, branch: str | None, limit: int) -> list[Notice]:
    """Return the newest notices, or of those for `branch`, with tombstones of withdrawn ones."""
    return await store.find_before(db, branch, None, limit, tombstones=True)


async def page_of_notices(db: Database, branch: str | None, page: Page) -> dict[str, Any]:
    """Return a page of the notices, newest first, or of those for `branch`. Raises BadCursor."""
    after = None
    if page.after is not None:
        day, _, notice_id = page.after.partition("_")
        try:
            after = (date.fromisoformat(day).isoformat(), notice_id)
        except ValueError:
            raise BadCursor from None
    found = await store.find_before(db, branch, after, page.limit + 1)
    return page_of(found, page, _cursor)


def _cursor(notice: Notice) -> str:
    return f"{notice.date.isoformat()}_{notice.id}"


async def draft(db: Database, draft_id: str) -> NoticeDraft:
    """Return the draft with this id. Raises NoSuchDraft."""
    return or_refuse(await store.find_draft(db, draft_id), NoSuchDraft)


async def page_of_drafts(db: Database, page: Page) -> dict[str, Any]:
    """Return a page of the drafts, newest first."""
    found = await store.find_drafts_before(db, page.after, page.limit + 1)
    return page_of(found, page, lambda one: str(one.id))
