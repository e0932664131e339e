"""Deliveries: each kind of e-mail on its way, what became of it, and notifications held back.

A delivery names no address. Its times are of the wall clock, because mail servers know no other.
For patrons who chose one e-mail a day, the deliveries of a day are held, and a digest sends them
together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal, TypeVar
from uuid import UUID, uuid5

from services.notices.channels.rules.outgoing import is_too_late, pause_after
from services.notices.patrons.rules import Facts, Notification, Patron

State = Literal["waiting", "held", "sent", "dropped", "bounced", "failed"]
"""`waiting` until it is sent; `held` for a digest, which sends it, until it may be told, or until
a letter is printed;
`dropped` if there was no reason left to send it; `bounced` if the mail server refused it for good;
`failed` if it could not be sent for a day."""
Reason = Literal[
    "withdrawn", "outdated", "no-address", "by-email", "refused", "bad-address", "too-late"
]

EMAIL = "email"
INBOX = "inbox"
POST = "post"
DIGEST = "digest"
"""Kind of the delivery that sends the held deliveries of one patron and day."""
MOST_PARTS = 100
"""Greatest number of deliveries in one digest; the next ones go with that of the next day."""
CONFIRM = "enquiry.unconfirmed"
"""Kind of the e-mail in which a guest confirms the address."""
STAFF_CODE = "pin.issued"
"""Kind of the e-mail with a code for somebody of the staff."""
APPLICANT_CODE = "patron.applied"
"""Kind of the e-mail with a code for somebody who applied for a card."""

_NAMESPACE = UUID("0b9c6a52-6f0e-5d43-9a57-3f5a1e0c7d28")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A delivery of any kind."""

    id: str
    version: int
    kind: str
    """Topic of the event that caused it, DIGEST or CONFIRM."""
    queued_at: datetime
    next_at: datetime
    """Time of the next try; during a try, the time after which another process may repeat it."""
    urgent: bool = False
    """True if it is sent in quiet hours too."""
    state: State = "waiting"
    reason: Reason | None = None
    """Reason why it was not sent."""
    smtp_code: int | None = None
    """Last refusal of the mail server, such as 550."""
    tries: int = 0
    ended_at: datetime | None = None

    @property
    def recipient(self) -> str:
        """Id of the patron or guest who gets it; empty for staff."""
        return ""


@dataclass(frozen=True, kw_only=True)
class PatronDelivery(Delivery):
    """A delivery to a patron."""

    patron_id: str

    @property
    def recipient(self) -> str:
        """Id of the patron."""
        return self.patron_id


@dataclass(frozen=True, kw_only=True)
class NotificationEmail(PatronDelivery):
    """A notification by e-mail."""

    notification_id: str
    covers: str = ""
    """Announcements that its text covers (`announced`)."""
    digest_id: str | None = None
    """The digest that sends it, once it was held."""


@dataclass(frozen=True, kw_only=True)
class Digest(PatronDelivery):
    """An e-mail with the held deliveries of one patron and day."""

    parts: int = 0
    """Number of deliveries that it was to send."""
    closed: bool = False
    """True if it gains no more deliveries, because its first try has begun."""


@dataclass(frozen=True, kw_only=True)
class HeldNotification(PatronDelivery):
    """A notification that reaches the inbox after a delay, at the business time `next_at`."""

    notification_id: str
    event_id: str
    about: Facts | None
    """Its facts until then."""
    channel: str = INBOX


@dataclass(frozen=True, kw_only=True)
class Letter(PatronDelivery):
    """A notification by post: `held` until a run prints it."""

    notification_id: str
    branch: str
    """Library that prints it: the patron's home library."""
    run_id: str | None = None
    """The run that has printed it."""
    number: int = 0
    """Number of its envelope in the run, which has all letters to the patron; 0: not printed."""
    about: Facts | None = None
    """Its facts as printed."""
    channel: str = POST


@dataclass(frozen=True, kw_only=True)
class GuestEmail(Delivery):
    """An e-mail with a link to a guest who asked a librarian."""

    guest_id: str

    @property
    def recipient(self) -> str:
        """Id of the guest."""
        return self.guest_id


@dataclass(frozen=True, kw_only=True)
class CodeEmail(Delivery):
    """An e-mail with a code to somebody who is no patron: of the staff, or an applicant."""

    staff_code: str
    """Id of the code, or of the application."""


D = TypeVar("D", bound=Delivery)


def announced(notification: Notification) -> str:
    """Return the announcements that a notification covers: its suspensions with their versions.

    Empty for every notification that never gains facts of another event.
    """
    return "\n".join(
        f"{one['suspension_id']} {one.get('version') or 0}"
        for one in (notification.about, *notification.also)
        if one.get("suspension_id")
    )


def made_of(kind: type[D], notification: Notification, at: datetime, id_: str, **fields: Any) -> D:
    """Return a new delivery of a notification; what is not in `fields` follows from that."""
    usual = {
        "id": id_,
        "version": 1,
        "patron_id": notification.patron_id,
        "notification_id": notification.id,
        "kind": notification.kind,
        "queued_at": at,
        "next_at": at,
    }
    return kind(**{**usual, **fields})


def delivery_of(
    notification: Notification, at: datetime, *, urgent: bool = False
) -> NotificationEmail:
    """Return a new delivery of a notification by e-mail. Every replica gives it the same id."""
    covers = announced(notification)
    id_ = str(uuid5(_NAMESPACE, f"{notification.id}:{EMAIL}:{covers}"))
    return made_of(NotificationEmail, notification, at, id_, covers=covers, urgent=urgent)


def held_back(notification: Notification, until: datetime, at: datetime) -> HeldNotification:
    """Return a new delivery to the inbox, of a notification that is held back until a time."""
    id_ = str(uuid5(_NAMESPACE, f"{notification.id}:{INBOX}"))
    held = {"next_at": until, "state": "held", "event_id": notification.happened}
    return made_of(HeldNotification, notification, at, id_, **held, about=notification.about)


def delivery_to_guest(guest_id: str, kind: str, version: int, at: datetime) -> GuestEmail:
    """Return a new delivery to a guest, of a version of the enquiry; 0: before there is one."""
    return GuestEmail(
        id=str(uuid5(_NAMESPACE, f"{guest_id}:{EMAIL}:{version}")),
        version=1,
        kind=kind,
        queued_at=at,
        next_at=at,
        guest_id=guest_id,
        urgent=kind == CONFIRM,
    )


def delivery_of_code(kind: str, code_id: str, at: datetime) -> CodeEmail:
    """Return a new delivery of a code to somebody of the staff, or to an applicant."""
    return CodeEmail(
        id=str(uuid5(_NAMESPACE, f"{code_id}:{EMAIL}")),
        version=1,
        kind=kind,
        queued_at=at,
        next_at=at,
        staff_code=code_id,
        urgent=True,
    )


def wants_email(patron: Patron | None) -> bool:
    """Return whether a patron has chosen e-mail, as far as notices know; accounts decides."""
    return patron is not None and EMAIL in patron.channels


def sent(delivery: D, at: datetime) -> D:
    """Return the delivery as sent."""
    return _ended(delivery, at, "sent", None)


def covering(delivery: NotificationEmail, notification: Notification) -> NotificationEmail:
    """Return the delivery with the announcements of the notification whose text was sent."""
    return replace(delivery, covers=announced(notification))


def dropped(delivery: D, reason: Reason, at: datetime) -> D:
    """Return the delivery as dropped, because nothing is to be sent any more."""
    return _ended(delivery, at, "dropped", reason)


def bounced(delivery: D, at: datetime, *, code: int | None) -> D:
    """Return the delivery as refused for good; without a `code` the address is malformed."""
    reason: Reason = "bad-address" if code is None else "refused"
    return replace(_ended(delivery, at, "bounced", reason), smtp_code=code)


def postponed(delivery: D, at: datetime, *, code: int | None = None) -> D:
    """Return the delivery to be tried again after a pause, or as failed after a day."""
    if is_too_late(delivery.queued_at, at):
        return replace(_ended(delivery, at, "failed", "too-late"), smtp_code=code)
    next_at = at + pause_after(delivery.tries)
    return replace(delivery, version=delivery.version + 1, next_at=next_at, smtp_code=code)


def delivery_to_queue(
    notification: Notification,
    deliveries: Iterable[NotificationEmail],
    at: datetime,
    *,
    urgent: bool = False,
) -> NotificationEmail | None:
    """Return the delivery to write so that a notification is sent once; None if it will be.

    `deliveries` are those of this notification. One that waits or is held is sent with all facts.
    One that was dropped because the notification was withdrawn waits again.
    """
    same = None
    for one in deliveries:
        if one.state in ("waiting", "held"):
            return None
        if one.covers == announced(notification):
            same = one
    if same is None:
        return delivery_of(notification, at, urgent=urgent)
    if same.reason != "withdrawn":
        return None
    return replace(delivery_of(notification, at), id=same.id, version=same.version + 1)


def digest_of(patron_id: str, due_at: datetime, day: date) -> Digest:
    """Return the new digest of a patron and a day, to be sent at `due_at`."""
    return Digest(
        id=str(uuid5(_NAMESPACE, f"{patron_id}:{DIGEST}:{day.isoformat()}")),
        version=0,
        patron_id=patron_id,
        kind=DIGEST,
        queued_at=due_at,
        next_at=due_at,
    )


def takes_parts(digest: Digest) -> bool:
    """Return whether a digest can send one more delivery."""
    return digest.state == "waiting" and not digest.closed and digest.parts < MOST_PARTS


def with_part(digest: Digest) -> Digest:
    """Return the digest with one more delivery to send."""
    return replace(digest, version=digest.version + 1, parts=digest.parts + 1)


def closed(digest: Digest) -> Digest:
    """Return the digest as one that gains no more deliveries."""
    return replace(digest, version=digest.version + 1, closed=True)


def held(delivery: NotificationEmail, digest: Digest) -> NotificationEmail:
    """Return the delivery as one that a digest sends."""
    return replace(
        delivery,
        version=delivery.version + 1,
        state="held",
        next_at=digest.next_at,
        digest_id=digest.id,
        tries=0,
        smtp_code=None,
    )


def ended_as(part: NotificationEmail, digest: Digest) -> NotificationEmail:
    """Return a held delivery with the end of the digest that was to send it."""
    return replace(
        part,
        version=part.version + 1,
        state=digest.state,
        reason=digest.reason,
        smtp_code=digest.smtp_code,
        tries=digest.tries,
        ended_at=digest.ended_at,
    )


def _ended(delivery: D, at: datetime, state: State, reason: Reason | None) -> D:
    return replace(
        delivery,
        version=delivery.version + 1,
        state=state,
        reason=reason,
        ended_at=at,
        smtp_code=None,
    )
