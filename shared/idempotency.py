"""Idempotency keys: the stored response of a request, returned when it is repeated."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar, get_type_hints

import orjson
from bson import Binary
from pydantic import TypeAdapter

from shared.clock import wall_clock
from shared.contracts import Event, published
from shared.mongo import BlockingDatabase, BlockingSession, Document
from shared.work import Work

R = TypeVar("R")


class KeyReused(Exception):
    """An idempotency key was used again for a different request."""

    code: ClassVar[str] = "idempotency-key-reused"
    status: ClassVar[int] = 409


@dataclass(frozen=True)
class IdempotencyKey:
    """An idempotency key: a second run of the same request gets the response of the first."""

    key: str
    """Unique within the service: `<caller>:<Idempotency-Key>`."""
    fingerprint: str
    """Digest of the request; the same key with another digest is refused."""


class EarlierEvents(list[Event]):
    """The events of a repeated request, as its first run recorded them."""

    def __init__(self, events: Iterable[Event], recorded_at: datetime) -> None:
        super().__init__(events)
        self.recorded_at = recorded_at


@dataclass(frozen=True)
class StoredResponse:
    """The result and the events of a request, as stored in the transaction of their change."""

    raw_result: bytes
    """The result as JSON."""
    raw_events: Sequence[Mapping[str, Any]]
    """Topic and body of each event."""
    at: datetime
    """When the response was stored."""
    personal_of: str | None = None
    """Id of the person whose data the result has, if it says so: an attribute of this name."""

    @classmethod
    def of(cls, use_case: Callable[..., R], result: R, events: Sequence[Event]) -> Self:
        """Return the response of a use case in the form in which it is stored."""
        return cls(
            _adapter(use_case).dump_json(result),
            [{"topic": event.topic, "body": event.body()} for event in events],
            wall_clock(),
            getattr(result, "personal_of", None),
        )

    def result(self, use_case: Callable[..., R]) -> R:
        """Return the result as the use case returned it."""
        return _adapter(use_case).validate_json(self.raw_result)

    @property
    def events(self) -> EarlierEvents:
        """The recorded events."""
        contracts = published()
        recorded = (
            contracts[row["topic"]].model_validate(orjson.loads(row["body"]))
            for row in self.raw_events
        )
        return EarlierEvents(recorded, self.at)


def find_response(
    database: BlockingDatabase, key: IdempotencyKey, session: BlockingSession
) -> StoredResponse | None:
    """Return the stored response of a repeated request, None for a new one. Raises KeyReused."""
    found = database["answers"].find_one({"_id": key.key}, session=session)
    if found is None:
        return None
    if found["fingerprint"] != key.fingerprint:
        raise KeyReused(key.key)
    return StoredResponse(found["result"], found["events"], found["at"])


def keep_responses(
    database: BlockingDatabase,
    responses: Iterable[tuple[IdempotencyKey, StoredResponse]],
    session: BlockingSession,
) -> None:
    """Store responses in the transaction of their changes.

    Raises BulkWriteError for a duplicate if a key has a response already.
    """
    database.update("answers", [_insertion(key, response) for key, response in responses], session)


def _insertion(key: IdempotencyKey, response: StoredResponse) -> Document:
    stored = {
        "fingerprint": key.fingerprint,
        "result": Binary(response.raw_result),
        "events": list(response.raw_events),
        **({"personal_of": response.personal_of} if response.personal_of else {}),
    }
    # Timed by the database's clock, which also ends its time: our clock may be wrong. An insertion
    # can't do that, so this is an update that finds no document and inserts one.
    absent = {"_id": key.key, "fingerprint": {"$exists": False}}
    return {
        "q": absent,
        "u": {"$setOnInsert": stored, "$currentDate": {"at": True}},
        "upsert": True,
    }


def delete_responses(work: Work, person_id: str) -> None:
    """Delete the stored responses that have data of a person, who is erased."""
    work.delete("answers", {"personal_of": person_id})


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(use_case: Callable[..., R]) -> TypeAdapter[R]:
    if use_case not in _adapters:
        _adapters[use_case] = TypeAdapter(get_type_hints(use_case)["return"])
    return _adapters[use_case]
