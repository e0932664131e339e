"""Make, name and fill a patron's lists, and open one to others."""

import secrets
from dataclasses import replace

from services.circulation.catalogue import store as catalogue_store
from services.circulation.lists import store
from services.circulation.refusals import NoSuchList, NoSuchTitle
from services.circulation.rules.title_list import (
    FOR_LATER,
    ListedTitle,
    TitleList,
    empty_list,
    free_number,
    with_title,
    without_title,
)
from shared.refusals import or_refuse
from shared.unit_of_work import Work

LINK_BYTES = 24
"""Random bytes of a link: more than anybody can try."""


def make_list(work: Work, patron_id: str, name: str) -> TitleList:
    """Make a list with a name. Raises ListLimit.

    Of two made at once one takes the number of the other, and is tried again.
    """
    number = free_number({one.number for one in store.all_of(work, patron_id)})
    return _stored(work, empty_list(patron_id, number, name))


def rename_list(work: Work, patron_id: str, number: int, name: str) -> TitleList:
    """Rename a list. Raises NoSuchList, as for the list for later, which has no name."""
    kept = _named(work, patron_id, number)
    return _stored(work, replace(kept, name=name), kept)


def remove_list(work: Work, patron_id: str, number: int) -> None:
    """Delete a list with what is on it. Raises NoSuchList."""
    store.remove(work, _named(work, patron_id, number))


def add_title(work: Work, patron_id: str, number: int, title_id: str) -> TitleList:
    """Put a title on a list; once is enough. Raises NoSuchList, NoSuchTitle or ListFull."""
    kept = _any(work, patron_id, number)
    title = or_refuse(catalogue_store.get(work, title_id), NoSuchTitle)
    return _stored(work, with_title(kept, ListedTitle(title.id, title.title)), kept)


def remove_title(work: Work, patron_id: str, number: int, title_id: str) -> TitleList:
    """Take a title off a list, also one that has left the catalogue. Raises NoSuchList."""
    kept = _any(work, patron_id, number)
    return _stored(work, without_title(kept, title_id), kept)


def open_list(work: Work, patron_id: str, number: int) -> TitleList:
    """Give a list a new link, under which anyone can read it; a former one ends.

    Raises NoSuchList.
    """
    kept = _any(work, patron_id, number)
    return _stored(work, replace(kept, link=secrets.token_urlsafe(LINK_BYTES)), kept)


def close_list(work: Work, patron_id: str, number: int) -> None:
    """End the link of a list. Raises NoSuchList."""
    kept = _any(work, patron_id, number)
    _stored(work, replace(kept, link=None), kept)


def _any(work: Work, patron_id: str, number: int) -> TitleList:
    kept = store.get(work, patron_id, number)
    if kept is None and number == FOR_LATER:
        return empty_list(patron_id)
    return or_refuse(kept, NoSuchList)


def _named(work: Work, patron_id: str, number: int) -> TitleList:
    kept = store.get(work, patron_id, number) if number != FOR_LATER else None
    return or_refuse(kept, NoSuchList)


def _stored(work: Work, changed: TitleList, kept: TitleList | None = None) -> TitleList:
    if changed == kept:
        return changed
    stored = replace(changed, version=changed.version + 1)
    store.put(work, stored)
    return stored
