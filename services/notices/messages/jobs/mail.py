"""Send what waits by e-mail, with the facts and the address of the moment."""

import asyncio
from collections.abc import Sequence
from email.message import EmailMessage
from typing import TypeVar

import structlog
from prometheus_client import Counter
from pydantic import BaseModel

from services.notices.channels.clients.mail import Mailer, MailServerAway, hand_over
from services.notices.channels.rules.deliveries import (
    APPLICANT_CODE,
    CodeEmail,
    Delivery,
    Digest,
    GuestEmail,
    NotificationEmail,
    PatronDelivery,
    covering,
    dropped,
    ended_as,
    postponed,
)
from services.notices.channels.rules.outgoing import is_too_late
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.enquiries.commands.guests import send_link
from services.notices.kinds.kind import kind_of
from services.notices.language import language_of
from services.notices.messages.commands import deliveries as deliveries_commands
from services.notices.messages.queries.emails import (
    CodeRecipient,
    Recipient,
    email_of,
    email_of_code,
)
from services.notices.messages.queries.texts import as_it_is, with_texts
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import Notification
from services.notices.settings import Settings
from shared.clock import wall_clock
from shared.jobs import Jobs
from shared.owners import OwnerAway, OwnerRefused, path_to
from shared.supervision import task_group
from shared.unit_of_work import Run

E = TypeVar("E", bound=PatronDelivery)

jobs = Jobs()
log = structlog.get_logger()

DELIVERIES = Counter("carrel_deliveries_total", "Tries to send a notification", ["state"])
for _state in ("sent", "waiting"):  # from zero on: the first of each is an increase
    DELIVERIES.labels(_state)
ASKING_SECONDS = 25.0
"""Time to ask other services about all parts of one e-mail; with that of sending, less than the
lease of a delivery."""
CONNECTIONS = 8
"""Greatest number of connections of one process to the mail server."""
MOST_TRIES = 500
"""Number of deliveries of one round, over which the connections are kept."""
MOST_BROKEN = 3
"""Connections that may break in one round: one message may break one, a server breaks all."""


@jobs.steadily(seconds=1)
async def deliveries(run: Run) -> int:
    """Send notifications and links by e-mail; return the number of tries.

    Without a mail server nothing is sent, and in quiet hours only what is urgent: codes, alerts
    about the security of an account, and the e-mails in which guests confirm their address. If the
    server or another service is away, the round ends, so that the others are not tried in vain.
    """
    settings = run.settings
    if not isinstance(settings, Settings) or not settings.smtp_host:
        return 0
    return await Round(run, settings).send()


class EmailAddress(BaseModel):
    """Accounts' answer: the address for one message, and the code to choose a new PIN."""

    address: str | None
    unsubscribe: str
    code: str | None = None


class CodeAnswer(BaseModel):
    """Accounts' answer: the code for one message, the address, and of an applicant the language."""

    address: str | None
    code: str | None
    language: str | None = None


async def can_wait(delivery: NotificationEmail, settings: Settings, run: Run) -> bool:
    """Return whether a delivery is to be sent with the digest of its patron.

    An urgent one is not. Nor is one that was tried before: it may have arrived, although nobody
    noted that.
    """
    if delivery.urgent or delivery.tries > 1:
        return False
    patron = await patrons_store.find_one(run.database, delivery.patron_id)
    found = await patrons_store.find_notification(run.database, delivery.notification_id)
    if patron is None or found is None or not patron.wants_digest:
        return False
    digest_day = settings.next_digest(wall_clock()).date()
    kind = kind_of(found.kind)
    all_facts = (found.about, *found.also)
    until = [await kind.from_stored(facts).useful_until(run) for facts in all_facts]
    return all(day is None or day > digest_day for day in until)


async def send(
    delivery: Delivery, mailer: Mailer, settings: Settings, run: Run
) -> deliveries_commands.NoteDelivery:
    """Send a delivery if it still is to be sent; return what became of it and of its parts.

    Raises MailServerAway, OwnerAway, OwnerRefused or TimeoutError.
    """
    if is_too_late(delivery.queued_at, wall_clock()):
        return deliveries_commands.NoteDelivery(postponed(delivery, wall_clock()))
    match delivery:
        case GuestEmail():
            return deliveries_commands.NoteDelivery(
                await send_link(delivery, mailer, settings, run)
            )
        case CodeEmail():
            return deliveries_commands.NoteDelivery(await _of_code(delivery, mailer, settings, run))
        case Digest():
            return await _send_digest(delivery, mailer, settings, run)
        case NotificationEmail():
            return await _send_notification(delivery, mailer, settings, run)
    raise TypeError(f"{type(delivery).__name__} is no e-mail")


async def _send_notification(
    delivery: NotificationEmail, mailer: Mailer, settings: Settings, run: Run
) -> deliveries_commands.NoteDelivery:
    true, untrue = await _present([delivery], run)
    if untrue:
        return deliveries_commands.NoteDelivery(untrue[0])
    [(_, stored, current)] = true
    after = await _to_patron(delivery, [current], mailer, settings, run)
    return deliveries_commands.NoteDelivery(
        covering(after, stored) if after.state == "sent" else after
    )


async def _send_digest(
    digest: Digest, mailer: Mailer, settings: Settings, run: Run
) -> deliveries_commands.NoteDelivery:
    parts = await deliveries_store.find_held_for(run.database, digest.id)
    true, ended = await _present(parts, run)
    if not true:
        return deliveries_commands.NoteDelivery(
            dropped(digest, "outdated", wall_clock()), tuple(ended)
        )
    after = await _to_patron(digest, [current for _, _, current in true], mailer, settings, run)
    if after.state == "sent":
        ended += [covering(ended_as(part, after), stored) for part, stored, _ in true]
    return deliveries_commands.NoteDelivery(after, tuple(ended))


async def _present(
    deliveries: Sequence[NotificationEmail], run: Run
) -> tuple[list[tuple[NotificationEmail, Notification, Notification]], list[NotificationEmail]]:
    """Return the deliveries with their notifications as stored and as they are, and the dropped."""
    true: list[tuple[NotificationEmail, Notification, Notification]] = []
    untrue: list[NotificationEmail] = []
    async with asyncio.timeout(ASKING_SECONDS):
        for delivery in deliveries:
            stored = await patrons_store.find_notification(run.database, delivery.notification_id)
            if stored is None or stored.withdrawn:
                untrue.append(dropped(delivery, "withdrawn", wall_clock()))
            elif (current := await as_it_is(stored, run)) is None:
                untrue.append(dropped(delivery, "outdated", wall_clock()))
            else:
                true.append((delivery, stored, current))
    return true, untrue


async def _to_patron(
    delivery: E,
    currents: Sequence[Notification],
    mailer: Mailer,
    settings: Settings,
    run: Run,
) -> E:
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
    patron = await patrons_store.find_one(run.database, delivery.patron_id)
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
            kind=kind_of(delivery.kind),
        )

    return await hand_over(delivery, message, address, mailer)


async def _of_code(delivery: CodeEmail, mailer: Mailer, settings: Settings, run: Run) -> CodeEmail:
    """Send a code to somebody of the staff or an applicant; return what became of it."""
    code_id = delivery.staff_code
    codes = "applicant-codes" if delivery.kind == APPLICANT_CODE else "staff-codes"
    answer = await run.owners.get("accounts", path_to("v1", codes, code_id), now=run.now)
    found = None if answer is None else CodeAnswer.model_validate(answer)
    if found is None or found.address is None or found.code is None:
        return dropped(delivery, "outdated", wall_clock())
    address = found.address
    to = CodeRecipient(address, code_id, found.code, found.language)

    def message() -> EmailMessage:
        return email_of_code(delivery.id, to, at=wall_clock(), settings=settings)

    return await hand_over(delivery, message, address, mailer)


async def note(noted: deliveries_commands.NoteDelivery, run: Run) -> None:
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
    await run(deliveries_commands.note_delivery, noted)


class Round:
    """One round of the job that sends e-mails; a recipient who is refused for now waits in it."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._run = run
        self._settings = settings
        self._quiet = settings.is_quiet(wall_clock())
        self._tries = 0
        self._broken = 0
        self._senders = 0
        self._is_over = False
        self._resting: set[str] = set()

    async def send(self) -> int:
        """Send what is due; return the number of tries."""
        async with task_group() as group:
            self._begin(group)
        return self._tries

    def _begin(self, group: asyncio.TaskGroup) -> None:
        """Let one more connection send, up to CONNECTIONS, while the round goes on."""
        if self._senders < CONNECTIONS and not self._is_over:
            self._senders += 1
            group.create_task(self._send_over_one(group))

    async def _send_over_one(self, group: asyncio.TaskGroup) -> None:
        async with Mailer(self._settings) as mailer:
            while not self._is_over and self._tries < MOST_TRIES:
                claimed = await deliveries_store.claim(self._run.database, only_urgent=self._quiet)
                if claimed is None:
                    return
                self._tries += 1
                delivery = await self._not_held(claimed)
                if delivery is not None:
                    await self._try(delivery, mailer)
                self._begin(group)  # there may be more

    async def _not_held(self, claimed: Delivery) -> Delivery | None:
        """Return what is to be sent now; None: it was held for a digest, or is gone."""
        if isinstance(claimed, Digest):
            return await self._run(deliveries_commands.close_digest, claimed)
        if isinstance(claimed, NotificationEmail) and await can_wait(
            claimed, self._settings, self._run
        ):
            due_at = self._settings.next_digest(wall_clock())
            await self._run(deliveries_commands.hold_for_digest, claimed, due_at)
            return None
        return claimed

    async def _try(self, delivery: Delivery, mailer: Mailer) -> None:
        recipient = delivery.recipient
        if recipient and recipient in self._resting:
            await note(
                deliveries_commands.NoteDelivery(postponed(delivery, wall_clock())), self._run
            )
            return
        try:
            after = await send(delivery, mailer, self._settings, self._run)
        except (MailServerAway, OwnerAway, OwnerRefused, TimeoutError) as away:
            log.warning("delivery waits", delivery=delivery.id, error=type(away).__name__)
            await note(
                deliveries_commands.NoteDelivery(postponed(delivery, wall_clock())), self._run
            )
            self._broken += 1
            reached = isinstance(away, MailServerAway) and away.reached
            self._is_over = self._is_over or not reached or self._broken >= MOST_BROKEN
            return
        if after.delivery.state == "waiting":  # refused for now
            self._resting.add(recipient)
        await note(after, self._run)
