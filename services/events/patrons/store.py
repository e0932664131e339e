"""Collection of patrons."""

from collections.abc import Collection
from dataclasses import dataclass

from shared.declared_indexes import Indexes, sharded_by
from shared.personal_data import Personal
from shared.unit_of_work import Work

INDEXES: Indexes = {"patrons": sharded_by("_id", [])}
PERSONAL = (Personal("patrons", "_id"),)


@dataclass(frozen=True)
class _Patron:
    """A patron's document. Registrations and an erasure write it, so that they conflict."""

    id: str
    version: int
    erased: bool = False


def hold_patron(work: Work, patron_id: str) -> bool:
    """Return True if the patron may get a registration: not after erasure.

    Writes the patron's document, so that a concurrent erasure conflicts with this transaction. With
    a read alone the erasure could commit meanwhile, and the registration would remain.
    """
    known = work.find(_Patron, "patrons", {"_id": patron_id})
    if known is not None and known.erased:
        return False
    work.update("patrons", {"_id": patron_id}, {"$inc": {"version": 1}}, upsert=True)
    return True


def hold_patrons(work: Work, patron_ids: Collection[str]) -> set[str]:
    """Return those of these patrons who may get a place; write their documents as `hold_patron`."""
    query = {"_id": {"$in": sorted(patron_ids)}, "erased": True}
    erased = work.all(_Patron, "patrons", query)
    held = set(patron_ids) - {patron.id for patron in erased}
    work.update_each("patrons", held, {"$inc": {"version": 1}})
    return held


def erase_patron(work: Work, patron_id: str) -> None:
    """Keep only the fact that a patron was erased."""
    change = {"$set": {"erased": True}, "$inc": {"version": 1}}
    work.update("patrons", {"_id": patron_id}, change, upsert=True)
