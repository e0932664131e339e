"""Queries about closures."""

from typing import Any

from services.notices import store
from services.notices.domain.closure import ClosureState, state_of
from services.notices.domain.refusals import NoSuchClosure
from shared.http.paging import Page, page_of
from shared.mongo import Database


async def get(db: Database, closure_id: str) -> ClosureState:
    """Return a closure and the end of each branch under it. Raises NoSuchClosure."""
    found = await store.closures.find_one(db, closure_id)
    if found is None:
        raise NoSuchClosure
    return state_of(found, await store.branches.find_in_closures(db, [closure_id]))


async def page_of_closures(db: Database, branch: str | None, page: Page) -> dict[str, Any]:
    """Return a page of the closures, newest first, of one branch or of all."""
    found = await store.closures.find_before(db, branch, page.after, page.limit + 1)
    covered = await store.branches.find_in_closures(db, [one.id for one in found])
    states = [state_of(one, covered) for one in found]
    return page_of(states, page, lambda state: str(state.closure.id))
