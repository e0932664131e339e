"""A round of e-mails: several are sent at once, each over a connection of its own."""

import asyncio

import structlog

from services.notices import sending, store
from services.notices.domain.delivery import DIGEST, Delivery, postponed
from services.notices.mail import Mailer, MailServerAway
from services.notices.settings import Settings
from services.notices.usecases.hold_for_digest import HoldForDigest, close_digest, hold_for_digest
from services.notices.usecases.note_delivery import NoteDelivery
from shared.clock import wall_clock
from shared.owners import OwnerAway, OwnerRefused
from shared.unit_of_work import Run

log = structlog.get_logger()

CONNECTIONS = 8
"""Greatest number of connections of one process to the mail server."""
MOST_TRIES = 500
"""Number of deliveries of one round, over which the connections are kept."""
MOST_BROKEN = 3
"""Connections that may break in one round: one message may break one, a server breaks all."""


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
        async with asyncio.TaskGroup() as group:
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
                claimed = await store.deliveries.claim(self._run.database, only_urgent=self._quiet)
                if claimed is None:
                    return
                self._tries += 1
                delivery = await self._not_held(claimed)
                if delivery is not None:
                    await self._try(delivery, mailer)
                self._begin(group)  # there may be more

    async def _not_held(self, claimed: Delivery) -> Delivery | None:
        """Return what is to be sent now; None: it was held for a digest, or is gone."""
        if claimed.kind == DIGEST:
            return await self._run(close_digest, claimed)
        if await sending.can_wait(claimed, self._settings, self._run):
            due_at = self._settings.next_digest(wall_clock())
            await self._run(hold_for_digest, HoldForDigest(claimed, due_at))
            return None
        return claimed

    async def _try(self, delivery: Delivery, mailer: Mailer) -> None:
        recipient = delivery.guest_id or delivery.patron_id
        if recipient and recipient in self._resting:
            await sending.note(NoteDelivery(postponed(delivery, wall_clock())), self._run)
            return
        try:
            after = await sending.send(delivery, mailer, self._settings, self._run)
        except (MailServerAway, OwnerAway, OwnerRefused, TimeoutError) as away:
            log.warning("delivery waits", delivery=delivery.id, error=type(away).__name__)
            await sending.note(NoteDelivery(postponed(delivery, wall_clock())), self._run)
            self._broken += 1
            reached = isinstance(away, MailServerAway) and away.reached
            self._is_over = self._is_over or not reached or self._broken >= MOST_BROKEN
            return
        if after.delivery.state == "waiting":  # refused for now
            self._resting.add(recipient)
        await sending.note(after, self._run)
