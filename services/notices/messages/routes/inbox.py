"""Routes of a patron's inbox: read notifications, and mark them as read."""

import datetime as dt
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.notices.fields import Id
from services.notices.messages.commands.notifying import read_notification
from services.notices.messages.queries.texts import InboxItem, page_of_inbox, with_texts
from services.notices.messages.refusals import NoSuchNotification
from services.notices.refusals import BadCursor
from shared.auth import Patron
from shared.http.bodies import from_attributes
from shared.http.dependencies import Db, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["inbox"])


class InboxItemOut(BaseModel):
    """A notification, in the patron's language."""

    id: str
    kind: str = Field(description="Topic of the event that caused the notification.")
    at: dt.datetime
    read: bool
    text: str
    about: dict[str, Any] = Field(
        description="Facts that the text is about: ids, days, amounts in cents."
    )
    also: list[dict[str, Any]] = Field(
        default=[],
        description="Facts about other things of the same moment that the same text tells.",
    )

    @classmethod
    def of(cls, item: InboxItem) -> "InboxItemOut":
        """Build the response from a notification; `about` has only the facts that apply."""
        one = item.notification
        about, *also = (
            {name: value for name, value in facts.items() if value is not None}
            for facts in (one.about, *one.also)
        )
        if item.title is not None:
            about["title"] = item.title
        return from_attributes(cls, one, text=item.text, about=about, also=also)


class InboxPage(BaseModel):
    """A page of an inbox."""

    items: list[InboxItemOut]
    next: str | None


@router.get("/me/inbox")
@refuses(BadCursor)
async def get_inbox(request: Request, caller: Patron, db: Db, page: PageQuery) -> InboxPage:
    """List the patron's notifications, newest first."""
    found = await page_of_inbox(db, caller.id, page, request.app.state.settings.zone)
    return InboxPage(items=[InboxItemOut.of(one) for one in found["items"]], next=found["next"])


@router.post("/me/inbox/{notification_id}/read")
@refuses(NoSuchNotification)
async def post_read(notification_id: Id, caller: Patron, run: Run) -> InboxItemOut:
    """Mark a notification as read; other patrons' notifications are not found."""
    one = await run(read_notification, notification_id, caller.id)
    [item] = await with_texts(run.database, caller.id, [one], run.settings.zone)
    return InboxItemOut.of(item)
