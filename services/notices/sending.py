"""Sending deliveries by e-mail: the facts and the address of the moment, and what became of it."""

import asyncio
from collections.abc import Callable, Sequence
from email.message import EmailMessage

import structlog
from prometheus_client import Counter
from pydantic import BaseModel

from services.notices import sealing, store
from services.notices.domain.delivery import (
    CONFIRM,
    DIGEST,
    Delivery,
    bounced,
    covering,
    dropped,
    ended_as,
    postponed,
    sent,
)
from services.notices.domain.notification import Notification
from services.notices.domain.outgoing import is_too_late
from services.notices.kinds.kind import Unknown, kind_of
from services.notices.kinds.language import language_of
from services.notices.mail import Mailer, NotSendable, Refused
from services.notices.queries.emails import (
    BadAddress,
    GuestLink,
    Recipient,
    StaffRecipient,
    email_of,
    email_to_guest,
    email_to_staff,
)
from services.notices.queries.notifications import as_it_is, with_texts
from services.notices.settings import Settings
from services.notices.usecases.note_delivery import NoteDelivery, note_delivery
from shared.clock import wall_clock
from shared.failpoint import failpoint
from shared.owners import path_to
from shared.unit_of_work import Run

log = structlog.get_logger()

DELIVERIES = Counter("carrel_deliveries_total", "Tries to send a notification", ["state"])
ASKING_SECONDS = 25.0
"""Time to ask other services about all parts of one e-mail; with that of sending, less than the
lease of a delivery."""


class EmailAddress(BaseModel):
    """Accounts' answer: the address for one message, and the code to choose a new PIN."""

    address: str | None
    unsubscribe: str
    code: str | None = None


class StaffCode(BaseModel):
    """Accounts' answer: the address for one message to somebody of the staff, and the code."""

    address: str | None
    code: str | None


async def can_wait(delivery: Delivery, settings: Settings, run: Run) -> bool:
    """Return whether a delivery is to be sent with the digest of its patron.

    An urgent one is not. Nor is one that was tried before: it may have arrived, although nobody
    noted that.
    """
    if delivery.urgent or delivery.guest_id is not None or delivery.tries > 1:
        return False
    patron = await store.patrons.find_one(run.database, delivery.patron_id)
    told = await store.notifications.find_one(run.database, delivery.notification_id)
    if patron is None or told is None or not patron.wants_digest:
        return False
    digest_day = settings.next_digest(wall_clock()).date()
    kind = kind_of(told.kind)
    until = [await kind.from_stored(facts).useful_until(run) for facts in (told.about, *told.also)]
    return all(day is None or day > digest_day for day in until)


async def send(delivery: Delivery, mailer: Mailer, settings: Settings, run: Run) -> NoteDelivery:
    """Send a delivery if it still is to be sent; return what became of it and of its parts.

    Raises MailServerAway, OwnerAway, OwnerRefused or TimeoutError.
    """
    now = wall_clock()
    if is_too_late(delivery.queued_at, now):
        return NoteDelivery(postponed(delivery, now))
    if delivery.guest_id is not None:
        return NoteDelivery(await _to_guest(delivery, delivery.guest_id, mailer, settings, run))
    if delivery.staff_code is not None:
        return NoteDelivery(await _to_staff(delivery, delivery.staff_code, mailer, settings, run))
    parts = [delivery]
    if delivery.kind == DIGEST:
        parts = await store.deliveries.find_held_for(run.database, delivery.id)
    true: list[tuple[Delivery, Notification, Notification]] = []
    untrue: list[Delivery] = []
    async with asyncio.timeout(ASKING_SECONDS):
        for part in parts:
            told = await store.notifications.find_one(run.database, part.notification_id)
            if told is None or told.withdrawn:
                untrue.append(dropped(part, "withdrawn", now))
            elif (current := await as_it_is(told, run)) is None:
                untrue.append(dropped(part, "outdated", now))
            else:
                true.append((part, told, current))
    if delivery.kind != DIGEST:
        if untrue:
            return NoteDelivery(untrue[0])
        [(_, told, current)] = true
        after = await _to_patron(delivery, [current], mailer, settings, run)
        return NoteDelivery(covering(after, told) if after.state == "sent" else after)
    after = dropped(delivery, "outdated", now)
    if true:
        after = await _to_patron(
            delivery, [current for _, _, current in true], mailer, settings, run
        )
    ended = untrue
    if after.state == "sent":
        ended += [covering(ended_as(part, after), told) for part, told, _ in true]
    return NoteDelivery(after, tuple(ended))


async def _to_patron(
    delivery: Delivery,
    currents: Sequence[Notification],
    mailer: Mailer,
    settings: Settings,
    run: Run,
) -> Delivery:
    """Send these notifications in one e-mail; return what became of it.

    A code and the address of an alert wait for no digest, so they are asked for one notification
    alone.
    """
    reset_id, alert_id = (currents[0].about.get(name) for name in ("reset_id", "alert_id"))
    params = {"pin_reset": reset_id} if reset_id else {"alert": alert_id} if alert_id else None
    answer = await run.owners.get(
        "accounts",
        path_to("v1", "email-addresses", delivery.patron_id),
        now=run.now,
        params=params,
    )
    found = None if answer is None else EmailAddress.model_validate(answer)
    address = found.address if found else None
    if found is None or address is None:
        return dropped(delivery, "outdated" if reset_id else "no-address", wall_clock())
    shown = await with_texts(run.database, delivery.patron_id, currents, settings.zone)
    patron = await store.patrons.find_one(run.database, delivery.patron_id)
    code = patron.speaks if patron else "en"

    def message() -> EmailMessage:
        return email_of(
            delivery.id,
            [item.message for item in shown],
            to=Recipient(address, found.unsubscribe, found.code),
            code=code,
            language=language_of(code),
            at=wall_clock(),
            settings=settings,
            kind=Unknown if delivery.kind == DIGEST else kind_of(delivery.kind),
        )

    return await _hand_over(delivery, message, address, mailer)


async def _to_guest(
    delivery: Delivery, guest_id: str, mailer: Mailer, settings: Settings, run: Run
) -> Delivery:
    """Send a guest the link; return what became of it."""
    guest = await store.guests.find_one(run.database, guest_id)
    if guest is None:
        return dropped(delivery, "withdrawn", wall_clock())
    confirms = delivery.kind == CONFIRM
    enquiry = None if confirms else await store.enquiries.find_one(run.database, guest_id)
    if (guest.question is None) == confirms or (enquiry is None) != confirms:
        return dropped(delivery, "outdated", wall_clock())
    secret = settings.service_secret
    address = sealing.unseal_address(secret, guest.address)
    if address is None:
        return dropped(delivery, "no-address", wall_clock())
    to = GuestLink(address, sealing.guest_token(guest_id, secret))

    def message() -> EmailMessage:
        at = wall_clock()
        return email_to_guest(delivery.id, guest, enquiry, to=to, at=at, settings=settings)

    return await _hand_over(delivery, message, address, mailer)


async def _to_staff(
    delivery: Delivery, reset_id: str, mailer: Mailer, settings: Settings, run: Run
) -> Delivery:
    """Send somebody of the staff a code to choose a PIN; return what became of it."""
    answer = await run.owners.get("accounts", path_to("v1", "staff-codes", reset_id), now=run.now)
    found = None if answer is None else StaffCode.model_validate(answer)
    if found is None or found.address is None or found.code is None:
        return dropped(delivery, "outdated", wall_clock())
    address, to = found.address, StaffRecipient(found.address, reset_id, found.code)

    def message() -> EmailMessage:
        return email_to_staff(delivery.id, to, at=wall_clock(), settings=settings)

    return await _hand_over(delivery, message, address, mailer)


async def _hand_over(
    delivery: Delivery, message: Callable[[], EmailMessage], address: str, mailer: Mailer
) -> Delivery:
    """Give the mail server a message; return what became of it. Raises MailServerAway."""
    try:
        await mailer.send(message(), address)
    except (BadAddress, NotSendable):
        return bounced(delivery, wall_clock(), code=None)
    except Refused as refused:
        if refused.for_good:
            return bounced(delivery, wall_clock(), code=refused.code)
        return postponed(delivery, wall_clock(), code=refused.code)
    failpoint("delivery.sent")
    return sent(delivery, wall_clock())


async def note(noted: NoteDelivery, run: Run) -> None:
    """Record what became of a try, and count it."""
    delivery = noted.delivery
    DELIVERIES.labels(delivery.state).inc()
    if delivery.state in ("bounced", "failed"):
        log.warning(
            "delivery failed",
            delivery=delivery.id,
            state=delivery.state,
            reason=delivery.reason,
            smtp_code=delivery.smtp_code,
        )
    await run(note_delivery, noted)
