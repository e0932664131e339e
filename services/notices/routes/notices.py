"""Routes that publish notices, and show them to everyone."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.notices.domain.notice import EarlierNotice, Notice, NoticeWording
from services.notices.domain.refusals import (
    BadCursor,
    NoBranchCovered,
    NoSuchBranch,
    NoSuchNotice,
    NoticeChanged,
    TooManyAmendments,
)
from services.notices.queries import notices
from services.notices.routes.fields import Id, Language, Name, ScopeBody, Text
from services.notices.usecases.amend_notice import (
    AmendNotice,
    WithdrawNotice,
    amend_notice,
    withdraw_notice,
)
from services.notices.usecases.publish_notice import PublishNotice, publish_notice
from shared.auth import Staff
from shared.clock import library_day
from shared.http.bodies import Body
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["notices"])


class NoticeWordingBody(Body):
    """The texts of a notice in one language."""

    title: Name
    content: Text


NoticeWordings = Annotated[
    dict[Language, NoticeWordingBody],
    Field(max_length=3, description="The texts in other languages, by language."),
]


Seen = Annotated[int, Field(ge=1, le=1_000_000_000, description="Version that the librarian read.")]


class NoticeWordingOut(BaseModel):
    """The texts of a notice in one language."""

    title: str
    content: str


def texts_in(wordings: Mapping[Language, NoticeWordingBody]) -> dict[str, NoticeWording]:
    """Return the texts in other languages as domain values."""
    return {code: NoticeWording(one.title, one.content) for code, one in wordings.items()}


class NoticeBody(ScopeBody):
    """A notice of the branches named by code or kind; of the whole library if none is named."""

    title: Name
    content: Text
    date: dt.date | None = Field(default=None, description="Date of the notice; null: today.")
    wordings: NoticeWordings = Field(default={})


class NoticeOut(BaseModel):
    """A notice."""

    id: str
    version: int
    title: str
    content: str
    branches: list[str] = Field(description="Branch codes; empty: the whole library.")
    date: dt.date
    published_at: dt.datetime
    wordings: dict[str, NoticeWordingOut] = Field(
        description="The texts in other languages, by language."
    )
    amended_at: dt.datetime | None = Field(
        description="Time of the last amendment; null: it is as it was published."
    )

    @classmethod
    def of(cls, notice: Notice) -> "NoticeOut":
        """Build the response from a notice."""
        return cls(
            id=notice.id,
            version=notice.version,
            title=notice.title,
            content=notice.content,
            branches=list(notice.branches),
            date=notice.date,
            published_at=notice.published_at,
            wordings=wordings_of(notice.wordings),
            amended_at=notice.amended_at,
        )


def wordings_of(wordings: Mapping[str, NoticeWording]) -> dict[str, NoticeWordingOut]:
    """Build the texts of a response in other languages."""
    return {code: NoticeWordingOut(**vars(one)) for code, one in wordings.items()}


class AmendedBody(Body):
    """All texts that a notice has from now on."""

    title: Name
    content: Text
    wordings: NoticeWordings = Field(default={})
    seen: Seen


class EarlierOut(BaseModel):
    """The texts of a notice before an amendment."""

    version: int
    title: str
    content: str
    wordings: dict[str, NoticeWordingOut] = Field(
        description="The texts in other languages, by language."
    )
    since: dt.datetime = Field(description="Time from which readers saw these texts.")
    until: dt.datetime = Field(description="Time of the amendment that replaced them.")

    @classmethod
    def of(cls, earlier: EarlierNotice) -> "EarlierOut":
        """Build the response from earlier texts."""
        return cls(
            version=earlier.version,
            title=earlier.title,
            content=earlier.content,
            wordings=wordings_of(earlier.wordings),
            since=earlier.since,
            until=earlier.until,
        )


class EarlierList(BaseModel):
    """The earlier texts of a notice, the newest first."""

    items: list[EarlierOut]


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
    wordings = texts_in(body.wordings)
    command = PublishNotice(body.title, body.content, codes, kinds, day, wordings)
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


@router.get("/notices/{notice_id}/versions")
@refuses(NoSuchNotice)
async def get_versions(notice_id: Id, db: Db) -> EarlierList:
    """List the earlier texts of a notice, the newest first."""
    found = await notices.earlier(db, notice_id)
    return EarlierList(items=[EarlierOut.of(one) for one in found])


@router.put("/notices/{notice_id}")
@refuses(NoSuchNotice, NoticeChanged, TooManyAmendments)
async def put_notice(notice_id: Id, body: AmendedBody, caller: Staff, run: Run) -> NoticeOut:
    """Amend a notice; readers can still read its earlier texts."""
    wordings = texts_in(body.wordings)
    command = AmendNotice(notice_id, body.seen, body.title, body.content, wordings)
    return NoticeOut.of(await run(amend_notice, command))


@router.delete("/notices/{notice_id}", status_code=204)
@refuses(NoSuchNotice, NoticeChanged)
async def delete_notice(
    notice_id: Id, caller: Staff, run: Run, seen: Annotated[int, Query(ge=1, le=1_000_000_000)]
) -> None:
    """Withdraw a notice: its page and feeds no longer have it, nor its earlier texts."""
    await run(withdraw_notice, WithdrawNotice(notice_id, seen))
