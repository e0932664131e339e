"""Places of libraries: their districts, the nearest to one, and a drawn map."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KM_OF_DEGREE = 111.2
"""Kilometres of a degree of latitude; of longitude by the cosine of the latitude."""
WIDTH, MOST_HEIGHT, MARGIN = 640, 380, 14
NUMBERED = 9
"""Libraries that the map numbers, as the list does."""

Point = tuple[float, float]
"""Degrees north and east."""


@dataclass(frozen=True)
class Dot:
    """A library on the map."""

    x: int
    y: int
    number: int
    """Place in the list, counted from 1."""
    open: bool


def point(branch: Mapping[str, Any]) -> Point | None:
    """Return where a library is, if it is known."""
    place = branch["place"]
    return (place["latitude"], place["longitude"]) if place else None


def distance(one: Point, other: Point) -> float:
    """Return the distance of two points of a city in kilometres, as the crow flies."""
    east = (one[1] - other[1]) * math.cos(math.radians((one[0] + other[0]) / 2))
    return KM_OF_DEGREE * math.hypot(one[0] - other[0], east)


def district(branch: Mapping[str, Any], language: str) -> str:
    """Return the name of a library's district in a language, or in another; "" if not known."""
    names = branch["place"]["district"] if branch["place"] else {}
    return str(names.get(language) or next(iter(names.values()), ""))


def nearest_to(branches: Sequence[dict[str, Any]], chosen: str, language: str) -> list[Any]:
    """Return libraries with the nearest to the middle of a district's own first.

    Those of the district come before all others, and those without a place last. Without a known
    district their order stays.
    """
    own = [p for one in branches if district(one, language) == chosen and (p := point(one))]
    if not (chosen and own):
        return list(branches)
    middle = (sum(p[0] for p in own) / len(own), sum(p[1] for p in own) / len(own))

    def order(branch: Mapping[str, Any]) -> tuple[bool, float]:
        at = point(branch)
        return district(branch, language) != chosen, distance(at, middle) if at else math.inf

    return sorted(branches, key=order)


def drawn(branches: Iterable[Mapping[str, Any]]) -> tuple[int, list[Dot]]:
    """Return the height of a map of libraries and its dots; none if fewer than two have a place."""
    listed = enumerate(branches, 1)
    placed = [(p, number, one) for number, one in listed if (p := point(one))]
    if len(placed) < 2:
        return 0, []
    north, south = (f(p[0] for p, _, _ in placed) for f in (max, min))
    east, west = (f(p[1] for p, _, _ in placed) for f in (max, min))
    stretch = math.cos(math.radians((north + south) / 2))
    wide, high = max((east - west) * stretch, 1e-6), max(north - south, 1e-6)
    scale = min((WIDTH - 2 * MARGIN) / wide, (MOST_HEIGHT - 2 * MARGIN) / high)
    left = (WIDTH - wide * scale) / 2
    dots = [
        Dot(
            x=round(left + (p[1] - west) * stretch * scale),
            y=round(MARGIN + (north - p[0]) * scale),
            number=number,
            open=one["open_until"] is not None,
        )
        for p, number, one in placed
    ]
    return round(high * scale) + 2 * MARGIN, dots
