"""Correct the catalogue data of a title."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.circulation import store
from services.circulation.domain.refusals.titles import NoSuchTitle
from services.circulation.domain.title import amend
from services.circulation.usecases.commands.catalogue_title import Catalogued
from services.circulation.usecases.events import title_events
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AmendTitle:
    """Command to change fields of a title: title, authors, isbn or kind. Other fields stay."""

    title_id: str
    changes: Mapping[str, Any]


def amend_title(work: Work, command: AmendTitle) -> Catalogued:
    """Amend the title; publish it if something changed. Raises NoSuchTitle."""
    title = store.titles.get(work, command.title_id)
    if title is None:
        raise NoSuchTitle
    copies = store.titles.copies_of(work, [title.id])
    amended = amend(title, command.changes)
    if amended is not title:
        store.titles.save(work, [amended])
        work.record(title_events.catalogued(amended, copies))
    return Catalogued(amended, tuple(copies))
