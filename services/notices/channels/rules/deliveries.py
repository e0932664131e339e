"""A delivery: one e-mail on its way to a patron or a guest, and what became of it.

One by e-mail names no address. Its times are of the wall clock, because mail servers know no other.
A notification that is told after a delay has a delivery to the inbox too, with its facts until
then. For patrons who chose one e-mail a day, the deliveries of a day are held, and a delivery of
the kind `digest` sends them together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID, uuid5

from services.notices.channels.rules.outgoing import is_too_late, pause_after
from services.notices.patrons.rules import Facts, Notification, Patron

State = Literal["waiting", "held", "sent", "dropped", "bounced", "failed"]
"""`waiting` until it is sent; `held` for a digest, which sends it, or until it may be told;
`dropped` if there was no reason left to send it; `bounced` if the mail server refused it for good;
`failed` if it could not be sent for a day."""
Reason = Literal["withdrawn", "outdated", "no-address", "refused", "bad-address", "too-late"]

EMAIL = "email"
INBOX = "inbox"
DIGEST = "digest"
"""Kind of the delivery that sends the held deliveries of one patron and day."""
MOST_PARTS = 100
"""Greatest number of deliveries in one digest; the next ones go with that of the next day."""
CONFIRM = "enquiry.unconfirmed"
"""Kind of the e-mail in which a guest confirms the address."""
STAFF_CODE = "pin.issued"
"""Kind of the e-mail with a code for somebody of the staff."""

_NAMESPACE = UUID("0b9c6a52-6f0e-5d43-9a57-3f5a1e0c7d28")


@dataclass(frozen=True)
class Delivery:
    """A delivery of a notification to its patron, or of a link to a guest."""

    id: str
    version: int
    patron_id: str
    """Empty for a guest, and for staff."""
    notification_id: str
    """Empty for a digest, for a guest, and for staff."""
    kind: str
    """Topic of the event that caused it, `digest`, or CONFIRM."""
    queued_at: datetime
    next_at: datetime
    """Time of the next try; during a try, the time after which another process may repeat it.

    Of a held delivery to the inbox: the business time at which it is told.
    """
    guest_id: str | None = None
    """The guest who gets it; None: a patron, or somebody of the staff."""
    staff_code: str | None = None
    """Id of the code that somebody of the staff gets; None: a patron or a guest gets it."""
    covers: str = ""
    """Announcements that its text covers (`announced`)."""
    channel: str = EMAIL
    urgent: bool = False
    """True if it is sent in quiet hours too."""
    state: State = "waiting"
    reason: Reason | None = None
    """Reason why it was not sent."""
    smtp_code: int | None = None
    """Last refusal of the mail server, such as 550."""
    tries: int = 0
    ended_at: datetime | None = None
    digest_id: str | None = None
    """The digest that sends it, once it was held."""
    parts: int = 0
    """Number of deliveries that a digest was to send."""
    closed: bool = False
    """True for a digest that gains no more deliveries, because its first try has begun."""
    event_id: str = ""
    """Id of the event of a held notification."""
    about: Facts | None = None
    """Facts of a held notification."""


def announced(told: Notification) -> str:
    """Return the announcements that a notification covers: its suspensions with their versions.

    Empty for every notification that never gains facts of another event.
    """
    return "\n".join(
        f"{one['suspension_id']} {one.get('version') or 0}"
        for one in (told.about, *told.also)
        if one.get("suspension_id")
    )


def delivery_of(told: Notification, at: datetime, *, urgent: bool = False) -> Delivery:
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
        urgent=urgent,
    )


def held_back(told: Notification, tell_at: datetime, at: datetime) -> Delivery:
    """Return a new delivery to the inbox, of a notification that is told at `tell_at`."""
    return Delivery(
        id=str(uuid5(_NAMESPACE, f"{told.id}:{INBOX}")),
        version=1,
        patron_id=told.patron_id,
        notification_id=told.id,
        kind=told.kind,
        queued_at=at,
        next_at=tell_at,
        channel=INBOX,
        state="held",
        event_id=told.happened,
        about=told.about,
    )


def delivery_to_guest(guest_id: str, kind: str, version: int, at: datetime) -> Delivery:
    """Return a new delivery to a guest, of a version of the enquiry; 0: before there is one."""
    return Delivery(
        id=str(uuid5(_NAMESPACE, f"{guest_id}:{EMAIL}:{version}")),
        version=1,
        patron_id="",
        notification_id="",
        kind=kind,
        queued_at=at,
        next_at=at,
        guest_id=guest_id,
        urgent=kind == CONFIRM,
    )


def delivery_to_staff(reset_id: str, at: datetime) -> Delivery:
    """Return a new delivery of a code to somebody of the staff."""
    return Delivery(
        id=str(uuid5(_NAMESPACE, f"{reset_id}:{EMAIL}")),
        version=1,
        patron_id="",
        notification_id="",
        kind=STAFF_CODE,
        queued_at=at,
        next_at=at,
        staff_code=reset_id,
        urgent=True,
    )


def wants_email(patron: Patron | None) -> bool:
    """Return whether a patron has chosen e-mail, as far as notices know; accounts decides."""
    return patron is not None and EMAIL in patron.channels


def sent(delivery: Delivery, at: datetime) -> Delivery:
    """Return the delivery as sent."""
    return _ended(delivery, at, "sent", None)


def covering(delivery: Delivery, told: Notification) -> Delivery:
    """Return the delivery with the announcements of `told`, whose text was sent."""
    return replace(delivery, covers=announced(told))


def dropped(delivery: Delivery, reason: Reason, at: datetime) -> Delivery:
    """Return the delivery as dropped, because nothing is to be sent any more."""
    return _ended(delivery, at, "dropped", reason)


def bounced(delivery: Delivery, at: datetime, *, code: int | None) -> Delivery:
    """Return the delivery as refused for good; without a `code` the address is malformed."""
    reason: Reason = "bad-address" if code is None else "refused"
    return replace(_ended(delivery, at, "bounced", reason), smtp_code=code)


def postponed(delivery: Delivery, at: datetime, *, code: int | None = None) -> Delivery:
    """Return the delivery to be tried again after a pause, or as failed after a day."""
    if is_too_late(delivery.queued_at, at):
        return replace(_ended(delivery, at, "failed", "too-late"), smtp_code=code)
    next_at = at + pause_after(delivery.tries)
    return replace(delivery, version=delivery.version + 1, next_at=next_at, smtp_code=code)


def delivery_to_queue(
    told: Notification, known: Iterable[Delivery], at: datetime, *, urgent: bool = False
) -> Delivery | None:
    """Return the delivery to write so that a notification is sent once; None if it will be.

    `known` are the deliveries of this notification. One that waits or is held is sent with all
    facts. One that was dropped because the notification was withdrawn waits again.
    """
    same = None
    for one in known:
        if one.state in ("waiting", "held"):
            return None
        if one.covers == announced(told):
            same = one
    if same is None:
        return delivery_of(told, at, urgent=urgent)
    if same.reason != "withdrawn":
        return None
    return replace(delivery_of(told, at), id=same.id, version=same.version + 1)


def digest_of(patron_id: str, due_at: datetime, day: date) -> Delivery:
    """Return the new digest of a patron and a day, to be sent at `due_at`."""
    return Delivery(
        id=str(uuid5(_NAMESPACE, f"{patron_id}:{DIGEST}:{day.isoformat()}")),
        version=0,
        patron_id=patron_id,
        notification_id="",
        kind=DIGEST,
        queued_at=due_at,
        next_at=due_at,
    )


def takes_parts(digest: Delivery) -> bool:
    """Return whether a digest can send one more delivery."""
    return digest.state == "waiting" and not digest.closed and digest.parts < MOST_PARTS


def with_part(digest: Delivery) -> Delivery:
    """Return the digest with one more delivery to send."""
    return replace(digest, version=digest.version + 1, parts=digest.parts + 1)


def closed(digest: Delivery) -> Delivery:
    """Return the digest as one that gains no more deliveries."""
    return replace(digest, version=digest.version + 1, closed=True)


def held(delivery: Delivery, digest: Delivery) -> Delivery:
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


def ended_as(part: Delivery, digest: Delivery) -> Delivery:
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


def _ended(delivery: Delivery, at: datetime, state: State, reason: Reason | None) -> Delivery:
    return replace(
        delivery,
        version=delivery.version + 1,
        state=state,
        reason=reason,
        ended_at=at,
        smtp_code=None,
        about=None,
    )
