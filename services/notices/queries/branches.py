"""Queries about branches."""

from collections.abc import Iterable
from typing import Any

from services.notices import store
from services.notices.domain.branch import Branch
from services.notices.domain.notice import Notice
from services.notices.domain.refusals import NoSuchBranch
from shared.http.paging import Page, page_of
from shared.mongo import Database


async def get(db: Database, code: str) -> Branch:
    """Return the branch with this code. Raises NoSuchBranch."""
    found = await store.branches.find_one(db, code)
    if found is None:
        raise NoSuchBranch([code])
    return found


async def page_of_branches(db: Database, page: Page) -> dict[str, Any]:
    """Return a page of the branches, in order of code."""
    found = await store.branches.find_after(db, page.after, page.limit + 1)
    return page_of(found, page, lambda branch: str(branch.id))


async def names(db: Database, notices: Iterable[Notice], language: str) -> dict[str, str]:
    """Return the names of the branches that notices are about in a language, by code."""
    codes = {code for one in notices for code in one.branches}
    return await store.branches.find_names(db, codes, language)
