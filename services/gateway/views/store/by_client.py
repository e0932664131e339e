"""Values that a process keeps for each client of a database."""

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import finalize

from services.gateway.views.store.schema import Collections

Kept = TypeVar("Kept")


class ByClient(Generic[Kept]):
    """One value for each client, until the client is deleted.

    Found by the client's identity, because two clients can be equal.
    """

    def __init__(self, make: Callable[[], Kept]) -> None:
        """Keep values that `make` creates when they are first asked for."""
        self._make = make
        self._kept: dict[int, Kept] = {}

    def of(self, views: Collections) -> Kept:
        """Return the value of the client of these views."""
        client = views.client
        if id(client) not in self._kept:
            self._kept[id(client)] = self._make()
            finalize(client, self._kept.pop, id(client), None)
        return self._kept[id(client)]
