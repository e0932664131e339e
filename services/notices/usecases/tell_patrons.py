"""Tell many patrons of one event, page by page, each page in a transaction of its own."""

from dataclasses import dataclass, replace

from services.notices import store
from services.notices.domain.notification import (
    Cause,
    Notification,
    notification,
    notification_id,
    withdrawn,
)
from services.notices.domain.patron import Patron
from services.notices.usecases.tell_patron import deliver
from shared.unit_of_work import Work


@dataclass(frozen=True)
class TellPatrons:
    """The next page of an event's patrons."""

    cause_id: str
    after: str
    """Where the page begins: the telling must have come just so far."""
    patron_ids: tuple[str, ...]
    next: str | None
    """Where the next page begins; None: this is the last one."""


async def begin_telling(work: Work, cause: Cause) -> None:
    """Keep the event before anyone is told of it.

    Preferences that are saved from now on find it; whoever saved theirs before is found by it.
    """
    if await store.cause(work, cause.id) is None:
        await store.save_cause(work, cause)


async def tell_patrons(work: Work, command: TellPatrons) -> None:
    """Tell those of the page whom it concerns, and note how far the telling has come.

    A page that was told before, by this replica or another, does nothing.
    """
    cause = await store.cause(work, command.cause_id)
    if cause is None or cause.done or cause.after != command.after:
        return
    known = await store.patrons(work, command.patron_ids)
    told = await store.notifications(
        work, [notification_id(cause.id, patron_id) for patron_id in command.patron_ids]
    )
    for patron_id in dict.fromkeys(command.patron_ids):
        patron = known.get(patron_id)
        change = settled(
            cause, patron or Patron(patron_id), told.get(notification_id(cause.id, patron_id))
        )
        if change is not None:
            await store.hold_patron(work, patron, patron_id)
            await deliver(work, change)
    await store.save_cause(
        work,
        replace(
            cause,
            version=cause.version + 1,
            after=cause.after if command.next is None else command.next,
            done=command.next is None,
        ),
    )


def settled(cause: Cause, patron: Patron, told: Notification | None) -> Notification | None:
    """What has to be written so that this patron is told of `cause` if, and only if, it concerns
    them; None where it is so already.
    """
    concerned = cause.concerns(patron)
    if told is None:
        if not concerned:
            return None
        return notification(cause.id, patron.id, cause.kind, cause.at, cause.about)
    if told.withdrawn == concerned:
        return withdrawn(told, not concerned)
    return None
