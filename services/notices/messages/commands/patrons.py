"""Record patrons, preferences, titles and activities; notify of earlier events."""

from services.notices.channels.rules.deliveries import wants_email
from services.notices.channels.rules.letters import at_library
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.channels.store import devices as devices_store
from services.notices.channels.store import letters as letters_store
from services.notices.channels.store import webhooks as webhooks_store
from services.notices.enquiries.store import attachments as attachments_store
from services.notices.enquiries.store import bank as bank_store
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.messages.commands.notifying import (
    deliver,
    queue_email,
    queue_messages,
    send_by_email,
    settled,
)
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import (
    Patron,
    Preferences,
    erased,
    in_force_between,
    notification_id,
    prefers,
    seen,
    whole_milliseconds,
)
from services.notices.patrons.store import Activity, Title
from shared.contracts.accounts import PatronSnapshot, PreferencesChanged
from shared.contracts.catalogue import TitleCatalogued
from shared.contracts.events import ActivitySnapshot
from shared.idempotency import delete_responses
from shared.unit_of_work import Work


def note_title(work: Work, event: TitleCatalogued) -> None:
    """Store a book's title."""
    patrons_store.save_title(work, Title(event.title_id, event.version, event.title))


def note_activity(work: Work, event: ActivitySnapshot) -> None:
    """Store an activity's title and its start."""
    activity = Activity(event.activity_id, event.version, event.title, event.starts_at)
    patrons_store.save_activity(work, activity)


def note_patron(work: Work, event: PatronSnapshot) -> None:
    """Store language and home library, to which letters that wait follow, by the highest version.

    Erased: delete their data, leave a tombstone.
    """
    known = patrons_store.get(work, event.patron_id)
    patron = known or Patron(event.patron_id, version=0)
    if patron.erased:
        return
    if event.status == "erased":
        patrons_store.delete_inbox(work, patron.id)
        deliveries_store.delete_of_patron(work, patron.id)
        devices_store.delete_of_patron(work, patron.id)
        webhooks_store.delete_of_patron(work, patron.id)
        enquiries_store.delete_of_patron(work, patron.id)
        attachments_store.delete_of_patron(work, patron.id)
        bank_store.delete_votes(work, patron.id)
        delete_responses(work, patron.id)
        patrons_store.save(work, erased(patron))
        return
    noted = seen(
        patron,
        event.version,
        event.language,
        home_branch=event.home_branch,
        by_post=event.by_post,
    )
    if noted is not patron:
        patrons_store.save(work, noted)
    if noted.home_branch != patron.home_branch:
        for letter in letters_store.held_for(work, patron.id):
            deliveries_store.save(work, at_library(letter, noted.home_branch))


def note_preferences(work: Work, event: PreferencesChanged) -> None:
    """Store this version with its business time, among the patron's latest ones.

    If it chooses e-mail, notifications of events after it are queued, in any order of arrival, and
    letters that were not printed yet.
    """
    known = patrons_store.get(work, event.patron_id)
    patron = known or Patron(event.patron_id, version=0)
    noted = prefers(
        patron,
        Preferences(
            version=event.version,
            at=whole_milliseconds(work.now),
            branches=event.followed_branches,
            activity_types=event.activity_types,
            language=event.language,
            channels=event.channels,
            digest=event.digest,
        ),
    )
    if noted is patron:
        return
    patrons_store.save(work, noted)
    if wants_email(noted) and noted.preferences[-1].version == event.version:
        # Those that arrived before this choice, although they happened after it.
        for existing in patrons_store.notifications_since(
            work, patron.id, whole_milliseconds(work.now)
        ):
            queue_email(work, existing)
        for letter in letters_store.held_for(work, patron.id):
            send_by_email(work, letter)


def apply_preferences(work: Work, patron_id: str, version: int) -> None:
    """Change the inbox to what it would be if these preferences had arrived in time.

    Usually they did, and there is nothing to do. Otherwise the patron is notified of what they
    followed then, and notifications of what they no longer followed are withdrawn.
    """
    patron = patrons_store.get(work, patron_id)
    if patron is None or patron.erased:
        return
    span = in_force_between(patron, version)
    if span is None:
        return
    broadcasts = patrons_store.broadcasts_between(
        work,
        *span,
        branches={code for p in patron.preferences for code in p.branches},
        activity_types={kind for p in patron.preferences for kind in p.activity_types},
    )
    ids = [notification_id(broadcast.message, patron.id) for broadcast in broadcasts]
    existing = patrons_store.some_notifications(work, ids)
    changes = [
        change
        for broadcast in broadcasts
        if (
            change := settled(
                broadcast, patron, existing.get(notification_id(broadcast.message, patron.id))
            )
        )
    ]
    if changes:
        patrons_store.hold(work, patron, patron.id)
    for change in changes:
        deliver(work, change, patron)
    queue_messages(work, changes)
