"""Publish a notice."""

from dataclasses import dataclass
from datetime import date

from services.notices import store
from services.notices.domain.notice import Notice
from services.notices.domain.refusals import NoBranchCovered, NoSuchBranch
from shared.contracts.notices import NoticePublished
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


async def publish_notice(work: Work, command: PublishNotice) -> Notice:
    """Publish the notice and return it. Raises NoSuchBranch or NoBranchCovered."""
    codes: tuple[str, ...] = ()
    if command.branches or command.kinds:
        named = await store.branches.some(work, command.branches, command.kinds)
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
    )
    await store.notices.add(work, notice)
    work.record(published(notice))
    return notice


def published(notice: Notice) -> NoticePublished:
    """Return the event of a published notice."""
    return NoticePublished(
        version=notice.version,
        notice_id=notice.id,
        branches=notice.branches,
        title=notice.title,
        content=notice.content,
        date=notice.date,
    )
