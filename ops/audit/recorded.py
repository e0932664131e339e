"""The events in the outboxes, read by each check that needs some of them.

Those of a week of a city do not fit into memory together.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from shared.contracts import published
from shared.mongo import Database, Document


@dataclass(frozen=True)
class Recorded:
    """The events that the outboxes keep since a time."""

    stores: Mapping[str, Database]
    """The database of each service, by name."""
    since: datetime

    async def on(self, *topics: str) -> AsyncIterator[tuple[str, Document]]:
        """Yield the topic and the content of each event on these topics, in no order."""
        for service, store in self.stores.items():
            if own := published(service).keys() & set(topics):
                asked = {"recorded_at": {"$gte": self.since}, "topic": {"$in": list(own)}}
                async for row in store.outbox.find(asked, {"topic": 1, "body": 1}):
                    yield row["topic"], orjson.loads(row["body"])

    async def last_states(self, *topics: str, of: str) -> dict[str, str]:
        """Return the state in the last version of each resource on these topics, by its id.

        `of` is the field of the events that has the id.
        """
        last: dict[str, tuple[int, str]] = {}
        async for _, event in self.on(*topics):
            told = (event["version"], event["state"])
            last[event[of]] = max(told, last.get(event[of], told))
        return {key: state for key, (_, state) in last.items()}
