"""Destroy visits and their keys: in time, and when a patron is erased."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from services.notices import sealing, store
from services.notices.sealing import Master
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ForgetVisits:
    """An erased patron."""

    patron_id: str
    master: Master | None = field(repr=False)


def destroy_keys(work: Work, last: date) -> int:
    """Destroy the keys of the days up to `last`: nobody can read their visits any more."""
    return store.visits.delete_keys(work, last)


def purge_visits(work: Work, visit_ids: Sequence[str]) -> int:
    """Delete visits."""
    return store.visits.delete_visits(work, visit_ids)


def forget_visits(work: Work, command: ForgetVisits) -> int:
    """Delete the visits of an erased patron. Those of a key that is lost can't be read anyway."""
    if command.master is None:
        return 0
    done = 0
    for wrapped in store.visits.all_keys(work):
        key = sealing.unwrapped(command.master, wrapped.wrapped)
        if key is not None:
            holder = sealing.holder_of(key, command.patron_id)
            done += store.visits.delete_of_holder(work, wrapped.id, holder)
    return done
