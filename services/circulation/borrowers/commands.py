"""Follow patrons, their linked cards and their choices as accounts publishes them."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, TypeVar

from services.circulation.borrowers import store
from services.circulation.lists import store as lists_store
from services.circulation.rules.history import Reader
from services.circulation.rules.patron import Link, Patron, PatronInDoubt, blocked_elsewhere
from services.circulation.self_checkout import store as self_checkout_store
from shared.clock import wall_clock
from shared.contracts.accounts import LinkSnapshot, PatronSnapshot, PreferencesChanged
from shared.owners import OwnerAway, OwnerBehind, OwnerRefused, Owners, path_to
from shared.unit_of_work import Run, Work

R = TypeVar("R")


async def ask_for_card(owners: Owners, card_number: str, now: datetime) -> Patron | None:
    """Ask accounts for the patron of a card; return None if there is none.

    Accounts may know a patron who registered a moment ago before the event arrives here.
    """
    answer = await owners.get("accounts", "/v1/patrons", now=now, params={"card": card_number})
    for found in (answer or {}).get("items", ()):
        return _patron(found)
    return None


async def ask_for_patron(owners: Owners, patron_id: str, now: datetime) -> Patron | None:
    """Ask accounts for the patron with an id; return None if there is none."""
    found = await owners.get("accounts", path_to("v1", "patrons", patron_id), now=now)
    return None if found is None else _patron(found)


def _patron(found: Mapping[str, Any]) -> Patron:
    return Patron(
        id=found["id"],
        category=found["category"],
        blocked=blocked_elsewhere(found["status"], found.get("blocked_by", ())),
        version=found["version"],
        card_digest=found["card_digest"],
        card_expires_on=_day(found.get("card_expires_on")),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def note_patron(work: Work, patron: Patron, erased: bool) -> None:
    """Save the patron, unless a newer state is known; purge what an erased one kept."""
    store.note_patron(work, patron)
    if erased:
        store.purge_reader(work, patron.id)
        lists_store.purge(work, patron.id)
        self_checkout_store.purge_tries(work, patron.id)


async def follow_patron(run: Run, event: PatronSnapshot) -> None:
    """Store the patron, or the newer state that accounts has.

    Raises OwnerAway, or OwnerBehind while accounts has an older state than its event.
    """
    erased = event.status == "erased"
    patron = Patron(
        id=event.patron_id,
        category="" if erased else event.category,
        blocked=blocked_elsewhere(event.status, event.blocked_by),
        version=event.version,
        card_digest="" if erased else event.card_digest,
        card_expires_on=None if erased else event.card_expires_on,
    )
    if not erased and not event.card_digest:  # events of earlier releases have it
        # Without an answer the patron was erased meanwhile, and that event follows.
        answer = await ask_for_patron(run.owners, event.patron_id, run.now)
        if answer is not None and answer.version < event.version:
            raise OwnerBehind("accounts")
        patron = answer or patron
    await run(note_patron, patron, erased)


async def with_newest_state(run: Run, act: Callable[[bool], Awaitable[R]]) -> R:
    """Run a command; if the patron's state refuses it, ask accounts for the newest, and run again.

    What was just changed at accounts (a block, the last day of a card) is therefore true at once
    here, before its event arrives, at no cost to commands that are not refused. `act` gets whether
    the state may be behind. While accounts is away the state is taken as it is.
    """
    try:
        return await act(True)
    except PatronInDoubt as doubt:
        with suppress(OwnerAway, OwnerRefused):
            patron = await ask_for_patron(run.owners, doubt.patron_id, run.now)
            if patron is not None:
                await run.in_steps()(note_patron, patron, erased=False)
        return await act(False)


def note_link(work: Work, event: LinkSnapshot) -> None:
    """Save this side of the link, or a tombstone if it has ended, unless a newer one is known."""
    store.note_link(
        work,
        Link(
            id=event.link_id,
            patron_id=event.patron_id if event.linked else "",
            member_id=event.member_id if event.linked else "",
            ended_at=None if event.linked else wall_clock(),
            version=event.version,
        ),
    )


def note_reader(work: Work, event: PreferencesChanged) -> None:
    """Save the choice, unless a newer one is known.

    Deletes the history of a patron who wants none.
    """
    reader = Reader(
        event.patron_id,
        event.keep_history,
        event.version,
        renews_automatically=event.automatic_renewal,
    )
    if store.note_reader(work, reader) and not reader.keeps_history:
        store.purge_history(work, reader.id)


def may_act(work: Work, asking: str | None, patron_id: str) -> bool:
    """Return whether `asking` may renew, reserve and cancel for a patron.

    They may if they are that patron or a linked one; None stands for the staff.
    """
    return asking in (None, patron_id) or store.are_linked(work, patron_id, str(asking))


def acting(asking: str | None, patron_id: str) -> str | None:
    """Return the id of the linked patron who acts for a patron; None: that patron or the staff."""
    return None if asking == patron_id else asking
