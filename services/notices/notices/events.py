"""Events of notices."""

from services.notices.notices.rules import Notice
from shared.contracts.notices import NoticeSnapshot
from shared.contracts.notices import NoticeWording as PublishedWording


def notice_snapshot(kind: type[NoticeSnapshot], notice: Notice) -> NoticeSnapshot:
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
