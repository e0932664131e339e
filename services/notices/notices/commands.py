"""Publish, amend and withdraw notices, and draft them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.notices.branches import store as branches_store
from services.notices.branches.refusals import ClosureWithdrawn, NoBranchCovered, NoSuchBranch
from services.notices.closures.commands import closure_and_branches
from services.notices.closures.rules import ClosureState, CoveredBranch, state_of
from services.notices.language import LANGUAGES
from services.notices.notices import refusals, store
from services.notices.notices.events import notice_snapshot
from services.notices.notices.rules import EarlierNotice, Notice, NoticeDraft, NoticeWording
from shared.clock import library_day
from shared.contracts.notices import NoticeAmended, NoticePublished, NoticeWithdrawn
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.translations import marked
from shared.unit_of_work import Work

MOST_VERSIONS = 100
"""Number of versions that a notice may have."""
FIRST = "en"
"""Language of the first texts of a draft; the others are its wordings."""
MOST_NAMES = 10
"""Number of branches that a text names; of more it has the number."""
MOST_IN_TITLE = 2


def publish_notice(
    work: Work,
    *,
    title: str,
    content: str,
    branches: frozenset[str],
    kinds: frozenset[str],
    date: date,
    wordings: Mapping[str, NoticeWording],
) -> Notice:
    """Publish the notice and return it. Raises NoSuchBranch or NoBranchCovered."""
    codes: tuple[str, ...] = ()
    if branches or kinds:
        named = branches_store.some(work, branches, kinds)
        codes = tuple(branch.id for branch in named)
        if unknown := branches - set(codes):
            raise NoSuchBranch(branches=sorted(unknown))
        if not codes:
            raise NoBranchCovered
    notice = Notice(
        id=new_id(),
        version=1,
        title=title,
        content=content,
        branches=codes,
        date=date,
        published_at=work.now,
        wordings=wordings,
    )
    store.add(work, notice)
    work.record(notice_snapshot(NoticePublished, notice))
    return notice


def amend_notice(
    work: Work,
    *,
    notice_id: str,
    seen: int,
    title: str,
    content: str,
    wordings: Mapping[str, NoticeWording],
) -> Notice:
    """Change the texts, and keep the earlier ones for readers. The same texts change nothing.

    Raises NoSuchNotice, NoticeChanged or TooManyAmendments.
    """
    notice = _seen(work, notice_id, seen)
    before = (notice.title, notice.content, notice.wordings)
    if before == (title, content, wordings):
        return notice
    if notice.version >= MOST_VERSIONS:
        raise refusals.TooManyAmendments
    amended = notice.amended(title, content, wordings, work.now)
    store.save(work, amended)
    store.keep_earlier(work, EarlierNotice.of(notice, work.now))
    work.record(notice_snapshot(NoticeAmended, amended))
    return amended


def withdraw_notice(work: Work, notice_id: str, seen: int) -> None:
    """Leave a tombstone of the notice, and delete its texts with the earlier ones.

    Raises NoSuchNotice or NoticeChanged.
    """
    notice = _seen(work, notice_id, seen)
    withdrawn = notice.withdrawn(work.now)
    store.save(work, withdrawn)
    store.delete_earlier(work, notice.id)
    work.record(notice_snapshot(NoticeWithdrawn, withdrawn))


def _seen(work: Work, notice_id: str, version: int) -> Notice:
    notice = or_refuse(store.get(work, notice_id), refusals.NoSuchNotice)
    if notice.version != version:
        raise refusals.NoticeChanged(version=notice.version)
    return notice


def draft_notice(work: Work, closure_id: str) -> NoticeDraft:
    """Draft a notice in all languages. Raises NoSuchClosure or ClosureWithdrawn."""
    closure, branches = closure_and_branches(work, closure_id)
    state = state_of(closure, branches)
    if state.withdrawn:
        raise ClosureWithdrawn(branches=sorted(closure.branches))
    texts = {code: closure_notice(state, code) for code in LANGUAGES}
    first = texts.pop(FIRST)
    draft = NoticeDraft(
        id=new_id(),
        version=1,
        title=first.title,
        content=first.content,
        branches=tuple(one.branch for one in state.covered if not one.withdrawn),
        wordings=texts,
        publish_at=None,
        closure_id=closure.id,
    )
    store.add_draft(work, draft)
    return draft


def change_draft(
    work: Work,
    *,
    draft_id: str,
    seen: int,
    title: str,
    content: str,
    wordings: Mapping[str, NoticeWording],
    publish_at: datetime | None,
) -> NoticeDraft:
    """Change the draft. Raises NoSuchDraft or DraftChanged."""
    draft = _seen_draft(work, draft_id, seen)
    changed = replace(
        draft,
        version=draft.version + 1,
        title=title,
        content=content,
        wordings=wordings,
        publish_at=publish_at,
    )
    store.save_draft(work, changed)
    return changed


def delete_draft(work: Work, draft_id: str, seen: int) -> None:
    """Delete the draft. Raises NoSuchDraft or DraftChanged."""
    store.delete_draft(work, _seen_draft(work, draft_id, seen))


def publish_draft(work: Work, draft_id: str, zone: ZoneInfo, seen: int | None = None) -> Notice:
    """Publish the draft now, and delete it; return the notice. Raises NoSuchDraft or DraftChanged.

    Two that publish it at once delete the same draft: one of them is retried and finds none.
    """
    if seen is None:
        draft = store.get_draft(work, draft_id)
        if draft is None or draft.publish_at is None or draft.publish_at > work.now:
            raise refusals.NoSuchDraft  # published, deleted or put off since
    else:
        draft = _seen_draft(work, draft_id, seen)
    notice = draft.published(work.now, library_day(work.now, zone))
    store.delete_draft(work, draft)
    store.add(work, notice)
    work.record(notice_snapshot(NoticePublished, notice))
    return notice


def _seen_draft(work: Work, draft_id: str, version: int) -> NoticeDraft:
    draft = or_refuse(store.get_draft(work, draft_id), refusals.NoSuchDraft)
    if draft.version != version:
        raise refusals.DraftChanged(version=draft.version)
    return draft


def closure_notice(state: ClosureState, code: str) -> NoticeWording:
    """Return the texts of a notice of the branches for which the closure is not withdrawn.

    `code` is the code of their language.
    """
    language = LANGUAGES[code]
    covered = [one for one in state.covered if not one.withdrawn]
    say = language.say
    by_end: dict[date | None, list[CoveredBranch]] = {}
    for one in covered:
        by_end.setdefault(one.reopened_on, []).append(one)
    closed = [
        say(
            marked("Closed from {starts_on}, open again from {reopened_on}: {libraries}.")
            if end
            else marked("Closed from {starts_on} until further notice: {libraries}.")
        ).format(
            starts_on=language.day(state.closure.starts_on),
            reopened_on=language.day(end) if end else "",
            libraries=_named(those, code, MOST_NAMES),
        )
        for end, those in sorted(by_end.items(), key=lambda pair: pair[0] or date.max)
    ]
    terms = [
        say(
            marked(
                "An item that is due while its library is closed is due on the first day on which "
                "the library is open again."
            )
        ),
        say(marked("No fine is charged for days on which the library is closed.")),
        say(marked("Reserved items are kept for you until after the library reopens.")),
    ]
    if state.closure.extra_renewals:
        terms.append(
            say(marked("More renewals of each item while the closure lasts: {number}.")).format(
                number=state.closure.extra_renewals
            )
        )
    reason = say(marked("Reason: {reason}")).format(reason=state.closure.reason)
    return NoticeWording(
        title=say(marked("Closed: {libraries}")).format(
            libraries=_named(covered, code, MOST_IN_TITLE)
        ),
        content="\n\n".join(("\n".join(closed), reason, "\n".join(terms))),
    )


def _named(covered: Sequence[CoveredBranch], code: str, most: int) -> str:
    language = LANGUAGES[code]
    if len(covered) > most:
        return language.say(marked("{number} libraries")).format(number=len(covered))
    return language.listed(one.name_in(code) for one in covered)
