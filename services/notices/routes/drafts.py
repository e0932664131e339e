"""Routes of drafts of notices: staff draft, change, schedule and publish them."""

import datetime as dt
from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from services.notices.domain.notice import NoticeDraft
from services.notices.domain.refusals import (
    ClosureWithdrawn,
    DraftChanged,
    NoSuchClosure,
    NoSuchDraft,
)
from services.notices.queries import notices
from services.notices.routes.fields import Id, Name, Text
from services.notices.routes.notices import (
    NoticeOut,
    NoticeWordingOut,
    NoticeWordings,
    Seen,
    texts_in,
    wordings_of,
)
from services.notices.usecases.draft_notice import (
    ChangeDraft,
    DraftNotice,
    PublishDraft,
    SeenDraft,
    change_draft,
    delete_draft,
    draft_notice,
    publish_draft,
)
from shared.auth import Staff
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["notices"])


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
    return DraftOut.of(await run(draft_notice, DraftNotice(closure_id)))


@router.get("/notice-drafts")
async def get_drafts(caller: Staff, db: Db, page: PageQuery) -> DraftPage:
    """List drafts of notices, the newest first."""
    found = await notices.page_of_drafts(db, page)
    return DraftPage(items=[DraftOut.of(one) for one in found["items"]], next=found["next"])


@router.get("/notice-drafts/{draft_id}")
@refuses(NoSuchDraft)
async def get_draft(draft_id: Id, caller: Staff, db: Db) -> DraftOut:
    """Return a draft of a notice."""
    return DraftOut.of(await notices.draft(db, draft_id))


@router.put("/notice-drafts/{draft_id}")
@refuses(NoSuchDraft, DraftChanged)
async def put_draft(draft_id: Id, body: DraftBody, caller: Staff, run: Run) -> DraftOut:
    """Change a draft of a notice, and when it is published."""
    command = ChangeDraft(
        draft_id=draft_id,
        seen=body.seen,
        title=body.title,
        content=body.content,
        wordings=texts_in(body.wordings),
        publish_at=body.publish_at and body.publish_at.astimezone(UTC).replace(microsecond=0),
    )
    return DraftOut.of(await run(change_draft, command))


@router.post("/notice-drafts/{draft_id}/publication", status_code=201)
@refuses(NoSuchDraft, DraftChanged)
async def post_publication(draft_id: Id, body: SeenBody, caller: Staff, run: Run) -> NoticeOut:
    """Publish a draft now, whatever its time."""
    command = PublishDraft(draft_id, run.settings.zone, body.seen)
    return NoticeOut.of(await run(publish_draft, command))


@router.delete("/notice-drafts/{draft_id}", status_code=204)
@refuses(NoSuchDraft, DraftChanged)
async def delete_one_draft(
    draft_id: Id, caller: Staff, run: Run, seen: Annotated[int, Query(ge=1, le=1_000_000_000)]
) -> None:
    """Delete a draft of a notice."""
    await run(delete_draft, SeenDraft(draft_id, seen))
