"""Add copies to a title, and serve the holds that wait for it."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.refusals.titles import BarcodeTaken, NoSuchTitle
from services.circulation.domain.title import check_copies, next_version
from services.circulation.usecases.commands.catalogue_title import (
    Catalogued,
    NewCopy,
    new_copies,
)
from services.circulation.usecases.events import title_events
from services.circulation.usecases.steps.serve_queue import serve
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AddCopies:
    """Command to add copies to a title."""

    title_id: str
    copies: tuple[NewCopy, ...]
    on: date


def add_copies(work: Work, command: AddCopies) -> Catalogued:
    """Add the copies; return the title with all its copies.

    Raises NoSuchTitle, BarcodeTaken or TooManyCopies.
    """
    title = store.titles.get(work, command.title_id)
    if title is None:
        raise NoSuchTitle
    if taken := store.titles.copies_with(work, [copy.barcode for copy in command.copies]):
        raise BarcodeTaken(barcode=min(taken))
    before = store.titles.copies_of(work, [title.id])
    added = new_copies(title.id, command.copies)
    copies = (*before, *added)
    check_copies(len(copies))
    title = next_version(title)
    store.titles.save(work, [title])
    store.titles.add_copies(work, added)
    work.record(title_events.catalogued(title, copies))
    served = serve(work, [title.id], command.on)
    now = tuple(served[copy.id].copy if copy.id in served else copy for copy in copies)
    return Catalogued(title, now)
