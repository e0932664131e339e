"""Places of branches: district, street, the way there, and the position on a map."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """The place of a branch; each text is by language."""

    district: Mapping[str, str]
    street: Mapping[str, str]
    directions: Mapping[str, str]
    latitude: float
    """Degrees north."""
    longitude: float
    """Degrees east."""
