"""Make the letters of a library and day, and record that they were printed and posted."""

from collections.abc import Sequence
from datetime import date

from services.notices.channels.refusals import LettersPrinted, NoSuchRun
from services.notices.channels.rules.letters import (
    LetterRun,
    Prepared,
    ended,
    posted,
    printed_again,
    run_id_of,
)
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.channels.store import letters as letters_store
from services.notices.messages.commands.notifying import send_by_email
from services.notices.patrons.rules import whole_milliseconds
from shared.clock import wall_clock
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def make_letters(
    work: Work, *, branch: str, day: date, prepared: Sequence[Prepared]
) -> LetterRun | None:
    """Put the prepared letters into the only run of a library and day, and return it.

    None if none of them is to be printed. Letters that were changed, printed or deleted since they
    were prepared are left out. Raises LettersPrinted if there is a run of this day.
    """
    run_id = run_id_of(branch, day)
    if letters_store.get_run(work, run_id) is not None:
        raise LettersPrinted
    held = letters_store.still_held(work, [one.letter.id for one in prepared])
    present = [one for one in prepared if held.get(one.letter.id) == one.letter]
    for one in present:
        if one.reason == "by-email":
            send_by_email(work, one.letter)
    letters = ended(run_id, [one for one in present if one.reason != "by-email"], wall_clock())
    deliveries_store.save(work, *letters)
    printed = [one for one in letters if one.run_id]
    if not printed:
        return None
    run = LetterRun(
        id=run_id,
        branch=branch,
        day=day,
        letters=max(one.number for one in printed),
        notifications=len(printed),
        made_at=whole_milliseconds(wall_clock()),
    )
    letters_store.save_run(work, run)
    work.concern(run.id)
    return run


def note_print(work: Work, *, run_id: str, patron_ids: Sequence[str]) -> LetterRun:
    """Count one more print of a run, with letters to these patrons, and return it.

    Raises NoSuchRun.
    """
    run = printed_again(_existing(work, run_id))
    letters_store.save_run(work, run)
    for one in (run_id, *patron_ids):
        work.concern(one)
    return run


def note_posted(work: Work, run_id: str) -> LetterRun:
    """Record that the letters of a run are posted, and return it. Raises NoSuchRun.

    Repeating it changes nothing.
    """
    run = _existing(work, run_id)
    after = posted(run, whole_milliseconds(wall_clock()))
    if after is not run:
        letters_store.save_run(work, after)
    return after


def _existing(work: Work, run_id: str) -> LetterRun:
    return or_refuse(letters_store.get_run(work, run_id), NoSuchRun)
