"""A delivery: one e-mail on its way to a patron or a guest, and what became of it.

It names no address. Its times are of the wall clock, because mail servers know no other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from services.notices.domain.notification import Notification
from services.notices.domain.patron import Patron

State = Literal["waiting", "sent", "dropped", "bounced", "failed"]
"""`waiting` until it is sent; `dropped` if there was no reason left to send it; `bounced` if the
mail server refused it for good; `failed` if it could not be sent for a day."""
Reason = Literal["withdrawn", "outdated", "no-address", "refused", "bad-address", "too-late"]

EMAIL = "email"
CONFIRM = "enquiry.unconfirmed"
"""Kind of the e-mail in which a guest confirms the address."""
LASTS = timedelta(days=1)
"""Time after which a delivery is given up."""
FIRST_PAUSE = timedelta(minutes=1)
"""Pause before the second try; twice as long before each further one."""
LONGEST_PAUSE = timedelta(hours=1)

_NAMESPACE = UUID("0b9c6a52-6f0e-5d43-9a57-3f5a1e0c7d28")


@dataclass(frozen=True)
class Delivery:
    """A delivery of a notification to its patron, or of a link to a guest."""

    id: str
    version: int
    patron_id: str | None
    notification_id: str | None
    kind: str
    """Topic of the event that caused it, or CONFIRM."""
    queued_at: datetime
    next_at: datetime
    """Time of the next try; during a try, the time after which another process may repeat it."""
    guest_id: str | None = None
    """The guest who gets it; None: a patron."""
    covers: str = ""
    """Announcements that its text covers (`announced`)."""
    channel: str = EMAIL
    state: State = "waiting"
    reason: Reason | None = None
    """Reason why it was not sent."""
    smtp_code: int | None = None
    """Last refusal of the mail server, such as 550."""
    tries: int = 0
    ended_at: datetime | None = None


def announced(told: Notification) -> str:
    """Return the announcements that a notification covers: its suspensions with their versions.

    Empty for every notification that never gains facts of another event.
    """
    return "\n".join(
        f"{one['suspension_id']} {one.get('version') or 0}"
        for one in (told.about, *told.also)
        if one.get("suspension_id")
    )


def delivery_of(told: Notification, at: datetime) -> Delivery:
    """Return a new delivery of a notification by e-mail. Every replica gives it the same id."""
    covers = announced(told)
    return Delivery(
        id=str(uuid5(_NAMESPACE, f"{told.id}:{EMAIL}:{covers}")),
        version=1,
        patron_id=told.patron_id,
        notification_id=told.id,
        kind=told.kind,
        queued_at=at,
        next_at=at,
        covers=covers,
    )


def delivery_to_guest(guest_id: str, kind: str, version: int, at: datetime) -> Delivery:
    """Return a new delivery to a guest, of a version of the enquiry; 0: before there is one."""
    return Delivery(
        id=str(uuid5(_NAMESPACE, f"{guest_id}:{EMAIL}:{version}")),
        version=1,
        patron_id=None,
        notification_id=None,
        kind=kind,
        queued_at=at,
        next_at=at,
        guest_id=guest_id,
    )


def wants_email(patron: Patron | None) -> bool:
    """Return whether a patron has chosen e-mail, as far as notices know; accounts decides."""
    return patron is not None and EMAIL in patron.channels


def sent(delivery: Delivery, at: datetime, told: Notification | None = None) -> Delivery:
    """Return the delivery as sent with the text of `told`, if it has a notification."""
    covers = delivery.covers if told is None else announced(told)
    return replace(_ended(delivery, at, "sent", None), covers=covers)


def dropped(delivery: Delivery, reason: Reason, at: datetime) -> Delivery:
    """Return the delivery as dropped, because nothing is to be sent any more."""
    return _ended(delivery, at, "dropped", reason)


def bounced(delivery: Delivery, at: datetime, *, code: int | None) -> Delivery:
    """Return the delivery as refused for good; without a `code` the address is malformed."""
    reason: Reason = "bad-address" if code is None else "refused"
    return replace(_ended(delivery, at, "bounced", reason), smtp_code=code)


def postponed(delivery: Delivery, at: datetime, *, code: int | None = None) -> Delivery:
    """Return the delivery to be tried again after a pause, or as failed after a day."""
    if is_too_late(delivery, at):
        return replace(_ended(delivery, at, "failed", "too-late"), smtp_code=code)
    pause = min(FIRST_PAUSE * 2 ** min(delivery.tries - 1, 10), LONGEST_PAUSE)
    return replace(
        delivery, version=delivery.version + 1, next_at=at + max(pause, FIRST_PAUSE), smtp_code=code
    )


def is_too_late(delivery: Delivery, at: datetime) -> bool:
    """Return whether the delivery has waited for a day."""
    return at - delivery.queued_at >= LASTS


def delivery_to_queue(
    told: Notification, known: Iterable[Delivery], at: datetime
) -> Delivery | None:
    """Return the delivery to write so that a notification is sent once; None if it will be.

    `known` are the deliveries of this notification. One that waits is sent with all facts. One
    that was dropped because the notification was withdrawn waits again.
    """
    same = None
    for one in known:
        if one.state == "waiting":
            return None
        if one.covers == announced(told):
            same = one
    if same is None:
        return delivery_of(told, at)
    if same.reason != "withdrawn":
        return None
    return replace(delivery_of(told, at), id=same.id, version=same.version + 1)


def _ended(delivery: Delivery, at: datetime, state: State, reason: Reason | None) -> Delivery:
    return replace(
        delivery,
        version=delivery.version + 1,
        state=state,
        reason=reason,
        ended_at=at,
        smtp_code=None,
    )
