"""What notices answers to questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from services.notices import store
from services.notices.domain import wording
from services.notices.domain.branch import Branch
from services.notices.domain.closure import ClosureState, state_of
from services.notices.domain.notice import Notice
from services.notices.domain.notification import Cause, Notification
from services.notices.domain.patron import DEFAULT_LANGUAGE
from services.notices.domain.refusals import BadCursor, NoSuchBranch, NoSuchClosure
from services.notices.domain.wording import Facts
from shared.clock import parse_instant
from shared.http import Page, page_of
from shared.money import dollars
from shared.mongo import Database


@dataclass(frozen=True)
class Told:
    """A notification in words."""

    notification: Notification
    text: str
    title: str | None
    """What it is about: the title of the book or activity, or the branch's name, if known."""


async def branch(db: Database, code: str) -> Branch:
    """The branch with this code. Raises NoSuchBranch."""
    found = await store.read_branch(db, code)
    if found is None:
        raise NoSuchBranch([code])
    return found


async def branches(db: Database, page: Page) -> dict[str, Any]:
    """A page of the branches, in order of code."""
    found = await store.branches_after(db, page.after, page.limit + 1)
    return page_of(found, page, lambda branch: str(branch.id))


async def closure(db: Database, closure_id: str) -> ClosureState:
    """A closure and the end of each branch under it. Raises NoSuchClosure."""
    found = await store.read_closure(db, closure_id)
    if found is None:
        raise NoSuchClosure
    return state_of(found, await store.branches_in_closures(db, [closure_id]))


async def closures(db: Database, branch: str | None, page: Page) -> dict[str, Any]:
    """A page of the closures, newest first, of one branch or of all."""
    found = await store.closures_before(db, branch, page.after, page.limit + 1)
    covered = await store.branches_in_closures(db, [one.id for one in found])
    states = [state_of(one, covered) for one in found]
    return page_of(states, page, lambda state: str(state.closure.id))


async def notices(db: Database, branch: str | None, page: Page) -> dict[str, Any]:
    """A page of the notices, newest first; `branch`: those that concern it. Raises BadCursor."""
    after = None
    if page.after is not None:
        day, _, notice_id = page.after.partition("_")
        try:
            after = (date.fromisoformat(day).isoformat(), notice_id)
        except ValueError:
            raise BadCursor from None
    found = await store.notices_before(db, branch, after, page.limit + 1)
    return page_of(found, page, _notice_cursor)


def _notice_cursor(notice: Notice) -> str:
    return f"{notice.date.isoformat()}_{notice.id}"


async def inbox(db: Database, patron_id: str, page: Page) -> dict[str, Any]:
    """A page of a patron's notifications in their language, newest first. Raises BadCursor."""
    after = None
    if page.after is not None:
        instant, _, notification_id = page.after.partition("_")
        try:
            after = (parse_instant(instant), notification_id)
        except ValueError:
            raise BadCursor from None
    found = await store.inbox(db, patron_id, after, page.limit + 1)
    return page_of(await in_words(db, patron_id, found), page, _inbox_cursor)


def _inbox_cursor(told: Told) -> str:
    at = told.notification.at.astimezone(UTC)
    # Without a plus sign, which a query would have to escape.
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z_{told.notification.id}"


async def in_words(db: Database, patron_id: str, found: Sequence[Notification]) -> list[Told]:
    """Notifications in the language of their patron, with the titles known by now."""
    if not found:
        return []
    abouts = [one.about for one in found]
    patron = await store.read_patron(db, patron_id)
    titles = await store.title_names(db, {a.title_id for a in abouts if a.title_id})
    activities = await store.activity_names(db, {a.activity_id for a in abouts if a.activity_id})
    names = await store.branch_names(db, {a.branch for a in abouts if a.branch})
    language = patron.speaks if patron else DEFAULT_LANGUAGE
    told = []
    for one in found:
        about = one.about
        facts = Facts(
            title=titles.get(about.title_id or ""),
            activity=activities.get(about.activity_id or ""),
            branch=names.get(about.branch or "", about.branch),
            due_on=about.due_on,
            previous_due_on=about.previous_due_on,
            as_of=about.as_of,
            suspended=bool(about.suspended),
            amount=_sum(about.amount_cents),
            outstanding=_sum(about.outstanding_cents),
            starts_on=about.starts_on,
            resumes_on=about.resumes_on,
            reopened_on=about.reopened_on,
        )
        title = facts.title or facts.activity or facts.branch
        told.append(Told(one, wording.text(one.kind, facts, language), title))
    return told


def _sum(cents: int | None) -> str | None:
    return dollars(cents) if cents else None


async def telling(db: Database, event_id: str) -> Cause | None:
    """How far the telling of an event has come; None: it hasn't begun."""
    return await store.read_cause(db, event_id)


async def next_followers(db: Database, cause: Cause, limit: int) -> list[str]:
    """The next page of patrons who may be told of `cause`, in order of id."""
    return await store.followers(db, cause, limit)
