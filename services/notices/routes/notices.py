"""Routes that publish notices, and show them to everyone."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.notices.domain.notice import Notice
from services.notices.domain.refusals import (
    BadCursor,
    NoBranchCovered,
    NoSuchBranch,
    NoSuchNotice,
)
from services.notices.queries import notices
from services.notices.routes.fields import Id, Name, ScopeBody, Text
from services.notices.usecases.publish_notice import PublishNotice, publish_notice
from shared.auth import Staff
from shared.clock import library_day
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["notices"])


class NoticeBody(ScopeBody):
    """A notice of the branches named by code or kind; of the whole library if none is named."""

    title: Name
    content: Text
    date: dt.date | None = Field(default=None, description="Date of the notice; null: today.")


class NoticeOut(BaseModel):
    """A notice."""

    id: str
    title: str
    content: str
    branches: list[str] = Field(description="Branch codes; empty: the whole library.")
    date: dt.date
    published_at: dt.datetime

    @classmethod
    def of(cls, notice: Notice) -> "NoticeOut":
        """Build the response from a notice."""
        return cls(
            id=notice.id,
            title=notice.title,
            content=notice.content,
            branches=list(notice.branches),
            date=notice.date,
            published_at=notice.published_at,
        )


class NoticePage(BaseModel):
    """A page of notices."""

    items: list[NoticeOut]
    next: str | None


@router.post("/notices", status_code=201)
@refuses(NoSuchBranch, NoBranchCovered)
async def post_notice(body: NoticeBody, caller: Staff, now: BusinessTime, run: Run) -> NoticeOut:
    """Publish a notice."""
    codes, kinds = body.codes_and_kinds
    day = body.date or library_day(now, run.settings.zone)
    command = PublishNotice(body.title, body.content, codes, kinds, day)
    return NoticeOut.of(await run(publish_notice, command))


@router.get("/notices")
@refuses(BadCursor)
async def get_notices(
    db: Db, page: PageQuery, branch: Annotated[Id | None, Query()] = None
) -> NoticePage:
    """List notices, newest first; with `branch`, those of it and those of the whole library."""
    found = await notices.page_of_notices(db, branch, page)
    return NoticePage(items=[NoticeOut.of(n) for n in found["items"]], next=found["next"])


@router.get("/notices/{notice_id}")
@refuses(NoSuchNotice)
async def get_notice(notice_id: Id, db: Db) -> NoticeOut:
    """Return a notice."""
    return NoticeOut.of(await notices.get(db, notice_id))
