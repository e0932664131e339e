"""Letters to patrons whom nothing else reaches, and the runs that print those of a library and day.

A letter names no address, and no PDF is stored: it is made of the letters of a run when it is
printed, so that an erasure deletes all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID, uuid5

from services.notices.channels.rules.deliveries import POST, Letter, Reason, dropped, made_of, sent
from services.notices.patrons.rules import Facts, Notification

MOST_LETTERS = 500
"""Notifications that one run prints; the rest waits for that of the next day."""
_NAMESPACE = UUID("3e1f6c0a-52d7-5b8e-8c41-9a7d20b6f513")


@dataclass(frozen=True, kw_only=True)
class LetterRun:
    """The letters that a library prints on a day, in one PDF."""

    id: str
    """Library and day, of which there is one run: `HKCL-2021-03-05`."""
    version: int = 1
    branch: str
    day: date
    letters: int
    """Number of envelopes."""
    notifications: int
    """Number of notifications in them."""
    made_at: datetime
    prints: int = 0
    """Number of times that it was printed; all but the first are marked as reprints."""
    posted_at: datetime | None = None


@dataclass(frozen=True)
class Prepared:
    """A letter that waits: its facts as they are now, or the reason not to print it."""

    letter: Letter
    about: Facts | None = None
    reason: Reason | None = None


def letter_of(notification: Notification, branch: str, at: datetime) -> Letter:
    """Return a new letter with a notification. Every replica gives it the same id."""
    id_ = str(uuid5(_NAMESPACE, f"{notification.id}:{POST}"))
    return made_of(Letter, notification, at, id_, state="held", branch=branch)


def at_library(letter: Letter, branch: str) -> Letter:
    """Return the letter as one that another library prints."""
    return replace(letter, version=letter.version + 1, branch=branch)


def run_id_of(branch: str, day: date) -> str:
    """Return the id of the only run of a library and day."""
    return f"{branch}-{day.isoformat()}"


def ended(run_id: str, prepared: Sequence[Prepared], at: datetime) -> list[Letter]:
    """Return the letters with their ends: printed in the run, or dropped.

    All letters to one patron have one number, counted from 1 in the order in which they waited.
    """
    numbers: dict[str, int] = {}
    letters = []
    for one in prepared:
        if one.about is None:
            letters.append(dropped(one.letter, one.reason or "outdated", at))
            continue
        number = numbers.setdefault(one.letter.patron_id, len(numbers) + 1)
        printed = sent(one.letter, at)
        letters.append(replace(printed, run_id=run_id, number=number, about=one.about))
    return letters


def printed_again(run: LetterRun) -> LetterRun:
    """Return the run with one more print."""
    return replace(run, version=run.version + 1, prints=run.prints + 1)


def posted(run: LetterRun, at: datetime) -> LetterRun:
    """Return the run as posted; one that was posted before is returned unchanged."""
    return run if run.posted_at else replace(run, version=run.version + 1, posted_at=at)
