"""The channels, and the log of deliveries."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, StringConstraints

from services.notices.channels.rules.deliveries import (
    EMAIL,
    INBOX,
    POST,
    Delivery,
    Digest,
    HeldNotification,
    Letter,
    NotificationEmail,
    PatronDelivery,
    Reason,
    State,
)
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.fields import Id, cursor, position
from services.notices.refusals import BadCursor
from services.notices.settings import Settings
from shared.audit_trail import shows_patrons
from shared.auth import Staff
from shared.contracts.circulation import LoanOverdue
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db
from shared.http.paging import Page, PageQuery, page_of
from shared.http.recording import Seen
from shared.mongo import Database
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["channels"])
OVERDUE = LoanOverdue.topic


async def page_of_deliveries(
    db: Database, state: State | None, patron_id: str | None, page: Page
) -> dict[str, Any]:
    """Return a page of deliveries, of a state and of a patron if given, the last queued first.

    Raises BadCursor.
    """
    where = {"state": state, "patron_id": patron_id}
    where = {name: value for name, value in where.items() if value is not None}
    found = await deliveries_store.find_where(db, where, position(page), page.limit + 1)
    return page_of(found, page, _cursor)


def _cursor(delivery: Delivery) -> str:
    return cursor(delivery.queued_at, delivery.id)


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


class ChannelsOut(BaseModel):
    """The channels by which this library sends notifications."""

    channels: list[str] = Field(description="Always `inbox`; `email` if a mail server is set.")


class DeliveryOut(BaseModel):
    """An e-mail or letter that was sent, is to be sent, or was not, without any address."""

    id: str
    patron_id: str | None = Field(description="Null: a guest who asked a librarian.")
    notification_id: str | None = Field(
        description="Null for the one e-mail of a day, and for e-mails to guests."
    )
    kind: str = Field(
        description="Topic of the event that caused it; `digest`: one e-mail a day; "
        "`enquiry.unconfirmed`: the e-mail in which a guest confirms the address."
    )
    channel: str = Field(description="`email`, `post`, or `inbox` for what is held back.")
    state: State = Field(
        description="`held`: goes out with the one e-mail of a day, or with the letters of the "
        "library; `dropped`: no reason left to "
        "send it; `bounced`: refused for good by the "
        "mail server; `failed`: given up after a day."
    )
    reason: Reason | None = Field(description="Reason why it was not sent.")
    smtp_code: int | None = Field(description="Last refusal of the mail server.")
    tries: int
    digest_id: str | None = Field(description="The one e-mail of a day that it goes with.")
    parts: int = Field(description="Number of notifications for the one e-mail of a day.")
    queued_at: dt.datetime
    next_at: dt.datetime | None = Field(
        description="Time of the next try, while it waits or is held; null for a letter."
    )
    ended_at: dt.datetime | None = Field(description="Time when it was sent or given up.")

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryOut":
        """Build the answer from a delivery."""
        notification_id = None
        is_timed = delivery.state in ("waiting", "held") and not isinstance(delivery, Letter)
        channel = EMAIL
        if isinstance(delivery, NotificationEmail | HeldNotification | Letter):
            notification_id = delivery.notification_id
        if isinstance(delivery, HeldNotification | Letter):
            channel = INBOX if isinstance(delivery, HeldNotification) else POST
        return from_attributes(
            cls,
            delivery,
            patron_id=delivery.patron_id if isinstance(delivery, PatronDelivery) else None,
            notification_id=notification_id,
            channel=channel,
            digest_id=delivery.digest_id if isinstance(delivery, NotificationEmail) else None,
            parts=delivery.parts if isinstance(delivery, Digest) else 0,
            next_at=delivery.next_at if is_timed else None,
        )


class DeliveryPage(BaseModel):
    """A page of deliveries."""

    items: list[DeliveryOut]
    next: str | None


@router.get("/channels")
async def get_channels(settings: Annotated[Settings, Depends(_settings)]) -> ChannelsOut:
    """List the channels by which notifications are sent."""
    return ChannelsOut(channels=list(settings.channels))


@router.get("/deliveries")
@refuses(BadCursor)
@shows_patrons
async def get_deliveries(
    caller: Staff,
    db: Db,
    page: PageQuery,
    state: State | None = None,
    patron: Annotated[Id | None, Query()] = None,
) -> DeliveryPage:
    """List what was sent when by which channel, and why not, the last queued first."""
    found = await page_of_deliveries(db, state, patron, page)
    return DeliveryPage(items=[DeliveryOut.of(one) for one in found["items"]], next=found["next"])


class PatronsBody(Body):
    """The patrons that a list shows."""

    patron_ids: tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...] = Field(
        max_length=100
    )


class LastDelivery(BaseModel):
    """The last e-mail or letter about overdue items to one patron."""

    patron_id: str
    channel: str
    state: State
    at: dt.datetime = Field(description="Time when it was sent or given up, else queued.")


class LastDeliveries(BaseModel):
    """The last deliveries of 90 days; a patron without any is left out."""

    items: list[LastDelivery]


@router.post("/overdue-deliveries")
@shows_patrons
async def post_overdue(body: PatronsBody, caller: Staff, db: Db, seen: Seen) -> LastDeliveries:
    """Get the last e-mail or letter about overdue items to each of these patrons."""
    found = await deliveries_store.find_last(db, OVERDUE, body.patron_ids)
    seen += [one["_id"] for one in found]
    return LastDeliveries(
        items=[
            LastDelivery(
                patron_id=one["_id"],
                channel=one["channel"],
                state=one["state"],
                at=one["ended_at"] or one["queued_at"],
            )
            for one in found
        ]
    )
