"""Consumers: record what other services publish, and notify patrons.

A notification kind asks circulation before the use case, never inside it. While circulation is away
the consumer waits, so that no notification names an amount that the account does not show.
"""

from collections.abc import AsyncIterator, Sequence

from pydantic import BaseModel

from services.notices import sealing
from services.notices.kinds.kind import (
    Followers,
    ListedPatrons,
    OnePatron,
    kind_of,
    notified_events,
)
from services.notices.messages.commands import notifying as notifying_commands
from services.notices.messages.commands import patrons as patrons_commands
from services.notices.messages.commands.deliveries import send_code
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import Broadcast, Facts, whole_milliseconds
from services.notices.settings import settings_of
from services.notices.visits.commands import forget_visits
from shared.bus.subscriptions import Subscriptions
from shared.contracts.accounts import (
    PatronApplied,
    PatronBlocked,
    PatronErased,
    PatronRegistered,
    PatronSnapshot,
    PatronUnblocked,
    PatronUpdated,
    PinIssued,
    PreferencesChanged,
)
from shared.contracts.catalogue import TitleCatalogued
from shared.contracts.event import Event
from shared.contracts.events import ActivityPublished, ActivitySnapshot
from shared.unit_of_work import Busy, Run

subscriptions = Subscriptions()

PAGE = 200
"""Number of patrons notified in one transaction."""

PAGES_IN_HAND = 50
"""Number of pages after which an event is put back, so that other partitions get their turn."""


class PatronPage(BaseModel):
    """An owner's response: a page of the patrons to notify."""

    class Item(BaseModel):
        """A patron to notify."""

        patron_id: str
        branches: tuple[str, ...] | None = None

    items: Sequence[Item]
    next: str | None = None


# ---- known patrons and titles -------------------------------------------------------------------


@subscriptions.to(PatronRegistered, PatronUpdated, PatronBlocked, PatronUnblocked, PatronErased)
async def keep_patron(event: PatronSnapshot, run: Run) -> None:
    """Store a patron's language; delete the data of an erased patron."""
    await run(patrons_commands.note_patron, event)
    if event.status == "erased":
        master = sealing.master_of(settings_of(run).visit_keys)
        await run(forget_visits, event.patron_id, master)


@subscriptions.to(PreferencesChanged)
async def keep_preferences(event: PreferencesChanged, run: Run) -> None:
    """Store a patron's preferences, then notify of earlier events that they cover."""
    await run(patrons_commands.note_preferences, event)
    await run(patrons_commands.apply_preferences, event.patron_id, event.version)


@subscriptions.to(TitleCatalogued)
async def keep_title(event: TitleCatalogued, run: Run) -> None:
    """Store a book's title."""
    await run(patrons_commands.note_title, event)


@subscriptions.to(ActivityPublished)
async def keep_activity(event: ActivityPublished, run: Run) -> None:
    """Store an activity's title and its start."""
    await run(patrons_commands.note_activity, event)


@subscriptions.to(PinIssued, PatronApplied)
async def email_code(event: PinIssued | PatronApplied, run: Run) -> None:
    """Send a code to somebody of the staff to choose a PIN, or to an applicant for a card."""
    await run(send_code, event)


# ---- notifications ------------------------------------------------------------------------------


@subscriptions.to(*notified_events())
async def notify_patrons(event: Event, run: Run) -> None:
    """Notify the patrons that an event concerns, as its notification kind says."""
    if isinstance(event, ActivitySnapshot):
        await run(patrons_commands.note_activity, event)
    elif isinstance(event, PatronSnapshot):
        await run(patrons_commands.note_patron, event)
    kind = kind_of(event.topic)
    about = await kind.of(event, run)
    if about is None:
        return
    match kind.recipients(event):
        case OnePatron(patron_id):
            delay = await about.delay(run)
            await run(
                notifying_commands.notify_patron,
                event_id=run.event_id,
                patron_id=patron_id,
                kind=event.topic,
                at=run.now,
                about=about.stored,
                held_until=run.now + delay if delay else None,
                urgent=kind.urgent,
            )
        case ListedPatrons() as listed:
            await _notify_listed(_broadcast(event, about.stored, run), listed, run)
        case Followers(branch, activity_type):
            broadcast = _broadcast(
                event, about.stored, run, branch=branch, activity_type=activity_type
            )
            await _notify_followers(broadcast, run)


async def _notify_listed(broadcast: Broadcast, listed: ListedPatrons, run: Run) -> None:
    """Notify the patrons that another service lists at this moment."""
    await run(notifying_commands.begin_notifying, broadcast)
    async for progress, paged in _pages_to_notify(run):
        params = {"limit": str(PAGE)} | ({"after": progress.after} if progress.after else {})
        answer = await run.owners.get(listed.service, listed.path, now=run.now, params=params)
        page = PatronPage.model_validate(answer or {"items": []})
        patron_ids = tuple(item.patron_id for item in page.items)
        branches = {item.patron_id: item.branches for item in page.items if item.branches}
        await paged(
            notifying_commands.notify_page,
            notifying_commands.NotifyPage(
                progress.id, progress.after, patron_ids, page.next, branches
            ),
        )


async def _notify_followers(broadcast: Broadcast, run: Run) -> None:
    """Notify the patrons who followed the branch or activity type of the broadcast at that time."""
    await run(notifying_commands.begin_notifying, broadcast)
    async for progress, paged in _pages_to_notify(run):
        found = await patrons_store.find_followers(run.database, progress, PAGE)
        following = found[-1] if len(found) == PAGE else None
        await paged(
            notifying_commands.notify_page,
            notifying_commands.NotifyPage(progress.id, progress.after, tuple(found), following),
        )


async def _pages_to_notify(run: Run) -> AsyncIterator[tuple[Broadcast, Run]]:
    """Yield, for each page of this event still to be notified, its broadcast and a run.

    The progress is stored with the broadcast. Raises Busy after PAGES_IN_HAND pages; the event is
    then delivered again and continues from there.
    """
    paged = run.in_steps()
    for _ in range(PAGES_IN_HAND):
        broadcast = await patrons_store.find_broadcast(run.database, run.event_id)
        if broadcast is None or broadcast.done:
            return
        yield broadcast, paged
    raise Busy("more patrons are to be notified of this event")


def _broadcast(
    event: Event,
    about: Facts,
    run: Run,
    *,
    branch: str | None = None,
    activity_type: str | None = None,
) -> Broadcast:
    return Broadcast(
        id=run.event_id,
        version=1,
        kind=event.topic,
        at=whole_milliseconds(run.now),
        about=about,
        branch=branch,
        activity_type=activity_type,
    )
