"""Reads of branches."""

from typing import Any

from services.notices.branches import store
from services.notices.branches.refusals import NoSuchBranch
from services.notices.branches.rules.branch import Branch
from shared.http.paging import Page, page_of
from shared.mongo import Database


async def get(db: Database, code: str) -> Branch:
    """Return the branch with this code. Raises NoSuchBranch."""
    found = await store.find_one(db, code)
    if found is None:
        raise NoSuchBranch(branches=[code])
    return found


async def page_of_branches(db: Database, page: Page) -> dict[str, Any]:
    """Return a page of the branches, in order of code."""
    found = await store.find_after(db, page.after, page.limit + 1)
    return page_of(found, page, lambda branch: str(branch.id))
