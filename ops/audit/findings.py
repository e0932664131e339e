"""The results of audits and checks: the numbers of things checked, and the findings."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import orjson

from shared.contracts import published
from shared.mongo import Database, Document

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """The result of one check of the doctor."""

    check: str
    level: Level
    found: str
    remedy: str = ""
    """The action to take; empty if all is well."""


@dataclass
class Audit:
    """The numbers of things that were checked, and the findings."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    lost: int = 0
    """Events, loans and notifications that should exist and don't."""
    doubled: int = 0
    """Events, loans and notifications that exist once more than they should."""
    aged: bool = False
    """True if outbox rows have expired: only younger events can be compared with the topics."""

    def expect(self, holds: bool, otherwise: str, *, lost: int = 0, doubled: int = 0) -> None:
        """Note a finding, with the number lost or doubled, unless a condition holds."""
        if not holds:
            self.findings.append(otherwise)
            self.lost += lost
            self.doubled += doubled


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


def first_of(faults: list[str]) -> str:
    """Return the first of some faults, with the number of the others."""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return faults[0] + more
