"""The ballot of a season: who gets an admission card, worked out from published data alone.

docs/study-rooms.md states the same rule for readers, in ten lines.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One application on the published list, without anything about the person but a category."""

    id: str
    category: str
    branch: str


@dataclass(frozen=True, slots=True)
class Room:
    """The study room of a branch in a season."""

    branch: str
    places: int
    quotas: Mapping[str, int]
    """Number of places that go first to patrons of a category, by category."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the ballot for one room: ids of applications, in the order of the draw."""

    granted: Sequence[str]
    standby: Sequence[str]
    """In the order in which they get places that become free."""


def commitment(seed: str) -> str:
    """Return the hash that is published before, and by which everyone recognises the seed."""
    return _sha256(seed)


def list_hash(entries: Sequence[Entry]) -> str:
    """Return the hash of the list of applications, in which no entry can change unnoticed."""
    lines = sorted(f"{one.id} {one.category} {one.branch}\n" for one in entries)
    return _sha256("".join(lines))


def draw(entries: Sequence[Entry], rooms: Sequence[Room], seed: str) -> dict[str, Outcome]:
    """Draw the places of each room; return the result by branch.

    The applications are ordered by the hash of the seed and their id. In this order each category
    first fills its quota; then the other places go to the first of all who are left.
    """
    in_order = sorted(entries, key=lambda one: _sha256(seed + one.id))
    return {
        room.branch: _outcome([one for one in in_order if one.branch == room.branch], room)
        for room in rooms
    }


def _outcome(in_order: Sequence[Entry], room: Room) -> Outcome:
    taken: Counter[str] = Counter()
    first: set[str] = set()
    for one in in_order:
        if taken[one.category] < room.quotas.get(one.category, 0):
            taken[one.category] += 1
            first.add(one.id)
    others = [one.id for one in in_order if one.id not in first]
    left = room.places - len(first)
    granted = first | set(others[:left])
    return Outcome(granted=[one.id for one in in_order if one.id in granted], standby=others[left:])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
