"""Draft a notice from a closure, change the draft, delete it, and publish it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notices import store
from services.notices.domain.closure import state_of
from services.notices.domain.notice import Notice, NoticeDraft, NoticeWording
from services.notices.domain.refusals import ClosureWithdrawn, DraftChanged, NoSuchDraft
from services.notices.kinds.closure_notice import closure_notice
from services.notices.kinds.language import LANGUAGES
from services.notices.usecases.change_closure import closure_and_branches
from services.notices.usecases.publish_notice import snapshot
from shared.clock import library_day
from shared.contracts.notices import NoticePublished
from shared.ids import new_id
from shared.unit_of_work import Work

FIRST = "en"
"""Language of the first texts of a draft; the others are its wordings."""


@dataclass(frozen=True)
class DraftNotice:
    """A closure that a notice is drafted from."""

    closure_id: str


@dataclass(frozen=True)
class ChangeDraft:
    """All texts that a draft has from now on, and when it is published."""

    draft_id: str
    seen: int
    """Version that the librarian read."""
    title: str
    content: str
    wordings: Mapping[str, NoticeWording]
    publish_at: datetime | None


@dataclass(frozen=True)
class SeenDraft:
    """A draft to delete."""

    draft_id: str
    seen: int


@dataclass(frozen=True)
class PublishDraft:
    """A draft to publish: at the version that the librarian read, or because its time has come."""

    draft_id: str
    zone: ZoneInfo
    seen: int | None = None


def draft_notice(work: Work, command: DraftNotice) -> NoticeDraft:
    """Draft a notice in all languages. Raises NoSuchClosure or ClosureWithdrawn."""
    closure, branches = closure_and_branches(work, command.closure_id)
    state = state_of(closure, branches)
    if state.withdrawn:
        raise ClosureWithdrawn(closure.branches)
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
    store.drafts.add(work, draft)
    return draft


def change_draft(work: Work, command: ChangeDraft) -> NoticeDraft:
    """Change the draft. Raises NoSuchDraft or DraftChanged."""
    draft = _seen(work, command.draft_id, command.seen)
    changed = replace(
        draft,
        version=draft.version + 1,
        title=command.title,
        content=command.content,
        wordings=command.wordings,
        publish_at=command.publish_at,
    )
    store.drafts.save(work, changed)
    return changed


def delete_draft(work: Work, command: SeenDraft) -> None:
    """Delete the draft. Raises NoSuchDraft or DraftChanged."""
    store.drafts.delete(work, _seen(work, command.draft_id, command.seen))


def publish_draft(work: Work, command: PublishDraft) -> Notice:
    """Publish the draft now, and delete it; return the notice. Raises NoSuchDraft or DraftChanged.

    Two that publish it at once delete the same draft: one of them is retried and finds none.
    """
    if command.seen is None:
        draft = store.drafts.get(work, command.draft_id)
        if draft is None or draft.publish_at is None or draft.publish_at > work.now:
            raise NoSuchDraft  # published, deleted or put off since
    else:
        draft = _seen(work, command.draft_id, command.seen)
    notice = draft.published(work.now, library_day(work.now, command.zone))
    store.drafts.delete(work, draft)
    store.notices.add(work, notice)
    work.record(snapshot(NoticePublished, notice))
    return notice


def _seen(work: Work, draft_id: str, version: int) -> NoticeDraft:
    draft = store.drafts.get(work, draft_id)
    if draft is None:
        raise NoSuchDraft
    if draft.version != version:
        raise DraftChanged(draft.version)
    return draft
