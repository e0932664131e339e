"""Amend a published notice, or withdraw it."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notices import store
from services.notices.domain.notice import EarlierNotice, Notice, NoticeWording
from services.notices.domain.refusals import NoSuchNotice, NoticeChanged, TooManyAmendments
from services.notices.usecases.publish_notice import snapshot
from shared.contracts.notices import NoticeAmended, NoticeWithdrawn
from shared.unit_of_work import Work

MOST_VERSIONS = 100
"""Number of versions that a notice may have."""


@dataclass(frozen=True)
class AmendNotice:
    """All texts that a notice has from now on."""

    notice_id: str
    seen: int
    """Version that the librarian read."""
    title: str
    content: str
    wordings: Mapping[str, NoticeWording]


@dataclass(frozen=True)
class WithdrawNotice:
    """A notice that readers are not to see any more."""

    notice_id: str
    seen: int


def amend_notice(work: Work, command: AmendNotice) -> Notice:
    """Change the texts, and keep the earlier ones for readers. The same texts change nothing.

    Raises NoSuchNotice, NoticeChanged or TooManyAmendments.
    """
    notice = _seen(work, command.notice_id, command.seen)
    before = (notice.title, notice.content, notice.wordings)
    if before == (command.title, command.content, command.wordings):
        return notice
    if notice.version >= MOST_VERSIONS:
        raise TooManyAmendments
    amended = notice.amended(command.title, command.content, command.wordings, work.now)
    store.notices.save(work, amended)
    store.notices.keep_earlier(work, EarlierNotice.of(notice, work.now))
    work.record(snapshot(NoticeAmended, amended))
    return amended


def withdraw_notice(work: Work, command: WithdrawNotice) -> None:
    """Leave a tombstone of the notice, and delete its texts with the earlier ones.

    Raises NoSuchNotice or NoticeChanged.
    """
    notice = _seen(work, command.notice_id, command.seen)
    withdrawn = notice.withdrawn(work.now)
    store.notices.save(work, withdrawn)
    store.notices.delete_earlier(work, notice.id)
    work.record(snapshot(NoticeWithdrawn, withdrawn))


def _seen(work: Work, notice_id: str, version: int) -> Notice:
    notice = store.notices.get(work, notice_id)
    if notice is None:
        raise NoSuchNotice
    if notice.version != version:
        raise NoticeChanged(notice.version)
    return notice
