"""Routes of notices and drafts."""

import datetime as dt
from collections.abc import Mapping
from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from services.notices.branches.refusals import ClosureWithdrawn, NoBranchCovered, NoSuchBranch
from services.notices.closures.refusals import NoSuchClosure
from services.notices.fields import Id, Language, Name, ScopeBody, Text
from services.notices.notices import commands, queries, refusals
from services.notices.notices.rules import EarlierNotice, Notice, NoticeDraft, NoticeWording
from services.notices.refusals import BadCursor
from shared.auth import Staff
from shared.clock import library_day
from shared.http.bodies import Body, from_attributes
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
        return from_attributes(
            cls, notice, branches=list(notice.branches), wordings=wordings_of(notice.wordings)
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
        return from_attributes(cls, earlier, wordings=wordings_of(earlier.wordings))


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
    return NoticeOut.of(
        await run(
            commands.publish_notice,
            title=body.title,
            content=body.content,
            branches=codes,
            kinds=kinds,
            date=day,
            wordings=wordings,
        )
    )


@router.get("/notices")
@refuses(BadCursor)
async def get_notices(
    db: Db, page: PageQuery, branch: Annotated[Id | None, Query()] = None
) -> NoticePage:
    """List notices, newest first; with `branch`, those of it and those of the whole library."""
    found = await queries.page_of_notices(db, branch, page)
    return NoticePage(items=[NoticeOut.of(n) for n in found["items"]], next=found["next"])


@router.get("/notices/{notice_id}")
@refuses(refusals.NoSuchNotice)
async def get_notice(notice_id: Id, db: Db) -> NoticeOut:
    """Return a notice."""
    return NoticeOut.of(await queries.get(db, notice_id))


@router.get("/notices/{notice_id}/versions")
@refuses(refusals.NoSuchNotice)
async def get_versions(notice_id: Id, db: Db) -> EarlierList:
    """List the earlier texts of a notice, the newest first."""
    found = await queries.earlier(db, notice_id)
    return EarlierList(items=[EarlierOut.of(one) for one in found])


@router.put("/notices/{notice_id}")
@refuses(refusals.NoSuchNotice, refusals.NoticeChanged, refusals.TooManyAmendments)
async def put_notice(notice_id: Id, body: AmendedBody, caller: Staff, run: Run) -> NoticeOut:
    """Amend a notice; readers can still read its earlier texts."""
    wordings = texts_in(body.wordings)
    return NoticeOut.of(
        await run(
            commands.amend_notice,
            notice_id=notice_id,
            seen=body.seen,
            title=body.title,
            content=body.content,
            wordings=wordings,
        )
    )


@router.delete("/notices/{notice_id}", status_code=204)
@refuses(refusals.NoSuchNotice, refusals.NoticeChanged)
async def delete_notice(
    notice_id: Id, caller: Staff, run: Run, seen: Annotated[int, Query(ge=1, le=1_000_000_000)]
) -> None:
    """Withdraw a notice: its page and feeds no longer have it, nor its earlier texts."""
    await run(commands.withdraw_notice, notice_id, seen)


class DraftBody(Body):
    """All texts that a draft has from now on, and when it is published."""

    title: Name
    content: Text
    wordings: NoticeWordings = Field(default={})
    publish_at: AwareDatetime | None = Field(
        default=None,
        description="Time at which it is published by itself; null: not before staff publish it.",
    )
    seen: Seen


class SeenBody(Body):
    """The version of the draft that the librarian read."""

    seen: Seen


class DraftOut(BaseModel):
    """A draft of a notice. The notice will have its id."""

    id: str
    version: int
    title: str
    content: str
    branches: list[str] = Field(description="Branch codes; empty: the whole library.")
    wordings: dict[str, NoticeWordingOut] = Field(
        description="The texts in other languages, by language."
    )
    publish_at: dt.datetime | None = Field(
        description="Time at which it is published by itself; null: not before staff publish it."
    )
    closure_id: str | None = Field(description="Closure from which it was drafted; null: none.")

    @classmethod
    def of(cls, draft: NoticeDraft) -> "DraftOut":
        """Build the response from a draft."""
        fields = vars(draft) | {"branches": list(draft.branches)}
        return cls(**fields | {"wordings": wordings_of(draft.wordings)})


class DraftPage(BaseModel):
    """A page of drafts."""

    items: list[DraftOut]
    next: str | None


@router.post("/closures/{closure_id}/notice-draft", status_code=201)
@refuses(NoSuchClosure, ClosureWithdrawn)
async def post_draft(closure_id: Id, caller: Staff, run: Run) -> DraftOut:
    """Draft a notice in three languages from a closure as it is now. Nobody but staff sees it."""
    return DraftOut.of(await run(commands.draft_notice, closure_id))


@router.get("/notice-drafts")
async def get_drafts(caller: Staff, db: Db, page: PageQuery) -> DraftPage:
    """List drafts of notices, the newest first."""
    found = await queries.page_of_drafts(db, page)
    return DraftPage(items=[DraftOut.of(one) for one in found["items"]], next=found["next"])


@router.get("/notice-drafts/{draft_id}")
@refuses(refusals.NoSuchDraft)
async def get_draft(draft_id: Id, caller: Staff, db: Db) -> DraftOut:
    """Return a draft of a notice."""
    return DraftOut.of(await queries.draft(db, draft_id))


@router.put("/notice-drafts/{draft_id}")
@refuses(refusals.NoSuchDraft, refusals.DraftChanged)
async def put_draft(draft_id: Id, body: DraftBody, caller: Staff, run: Run) -> DraftOut:
    """Change a draft of a notice, and when it is published."""
    return DraftOut.of(
        await run(
            commands.change_draft,
            draft_id=draft_id,
            seen=body.seen,
            title=body.title,
            content=body.content,
            wordings=texts_in(body.wordings),
            publish_at=body.publish_at and body.publish_at.astimezone(UTC).replace(microsecond=0),
        )
    )


@router.post("/notice-drafts/{draft_id}/publication", status_code=201)
@refuses(refusals.NoSuchDraft, refusals.DraftChanged)
async def post_publication(draft_id: Id, body: SeenBody, caller: Staff, run: Run) -> NoticeOut:
    """Publish a draft now, whatever its time."""
    return NoticeOut.of(await run(commands.publish_draft, draft_id, run.settings.zone, body.seen))


@router.delete("/notice-drafts/{draft_id}", status_code=204)
@refuses(refusals.NoSuchDraft, refusals.DraftChanged)
async def delete_one_draft(
    draft_id: Id, caller: Staff, run: Run, seen: Annotated[int, Query(ge=1, le=1_000_000_000)]
) -> None:
    """Delete a draft of a notice."""
    await run(commands.delete_draft, draft_id, seen)
