"""Publish a notice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.notices import store
from services.notices.domain.notice import Notice, NoticeWording
from services.notices.domain.refusals import NoBranchCovered, NoSuchBranch
from shared.contracts.notices import NoticePublished, NoticeSnapshot
from shared.contracts.notices import NoticeWording as PublishedWording
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PublishNotice:
    """A notice of the branches named by code or kind; of the whole library if none is named."""

    title: str
    content: str
    branches: frozenset[str]
    kinds: frozenset[str]
    date: date
    wordings: Mapping[str, NoticeWording]


def publish_notice(work: Work, command: PublishNotice) -> Notice:
    """Publish the notice and return it. Raises NoSuchBranch or NoBranchCovered."""
    codes: tuple[str, ...] = ()
    if command.branches or command.kinds:
        named = store.branches.some(work, command.branches, command.kinds)
        codes = tuple(branch.id for branch in named)
        if unknown := command.branches - set(codes):
            raise NoSuchBranch(unknown)
        if not codes:
            raise NoBranchCovered
    notice = Notice(
        id=new_id(),
        version=1,
        title=command.title,
        content=command.content,
        branches=codes,
        date=command.date,
        published_at=work.now,
        wordings=command.wordings,
    )
    store.notices.add(work, notice)
    work.record(snapshot(NoticePublished, notice))
    return notice


def snapshot(kind: type[NoticeSnapshot], notice: Notice) -> NoticeSnapshot:
    """Return an event of a notice, or its snapshot."""
    return kind(
        version=notice.version,
        notice_id=notice.id,
        branches=notice.branches,
        title=notice.title,
        content=notice.content,
        date=notice.date,
        wordings={code: PublishedWording(**vars(one)) for code, one in notice.wordings.items()},
        amended_at=notice.amended_at,
        withdrawn=notice.withdrawn_at is not None,
    )
