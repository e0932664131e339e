"""The parts of one service, from which its app is made."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import Scope

from shared.auth import FetchKeys
from shared.bus.subscriptions import Subscriptions
from shared.contracts import Event
from shared.data_keys import DataKey
from shared.declared_indexes import Indexes
from shared.jobs import Jobs
from shared.mongo import Database, SnapshotQuery
from shared.personal_data import Personal

MAX_BODY = 256 * 1024
"""Greatest number of bytes in the body of a usual request."""
SnapshotPage = tuple[Sequence[Event], str | None]
"""Resources in the form of their events, and the id to continue after; None: no more."""
Snapshot = Callable[[Database, SnapshotQuery], Awaitable[SnapshotPage]]
"""Reads a page of the resources of one kind."""


@dataclass(frozen=True)
class Service:
    """The parts of one service, listed once in its `app.py`."""

    name: str
    title: str
    routers: tuple[APIRouter, ...]
    indexes: Indexes
    operations: tuple[APIRouter, ...] = ()
    """Its own routes on the port of operations; those of every service are in `health.py`."""
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    jobs: Jobs = field(default_factory=Jobs)
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)
    """Its resources by kind, for another service that rebuilds its view of them."""
    snapshots_of_patrons: Mapping[str, Snapshot] = field(default_factory=dict)
    """The same for resources of patrons: also for one patron or for a sample of patrons."""
    personal: Sequence[Personal] = ()
    """Its collections that have documents about patrons."""
    keys: Callable[[Database], FetchKeys] | None = None
    """Function with which the issuer of tokens reads its own public keys; None: ask the issuer."""
    state: Callable[[FastAPI], None] = lambda _: None
    """Sets the service's own parts of `app.state`, anew at each start."""
    data_keys: tuple[DataKey, ...] = ()
    """Keys of its data that stored data can be compared with; the others are in its settings."""
    background: tuple[Callable[[FastAPI], Any], ...] = ()
    """Further background tasks of the service, each an async function of the app."""
    health: Mapping[str, Callable[[FastAPI], Awaitable[tuple[bool, str]]]] = field(
        default_factory=dict
    )
    """Further needs of its API, by name: whether the process is ready, and "ok" or the fault."""
    answers_within: float | None = None
    """Seconds until a request is answered, if only by 503; None: no limit."""
    takes_long: Callable[[Scope], bool] = lambda _: False
    """Return whether `answers_within` does not apply to a request."""
    largest_body: Callable[[Scope], int] = lambda _: MAX_BODY
    """Return the greatest number of bytes that the body of a request may have."""
    examples: Mapping[str, Any] = field(default_factory=dict)
    """Examples in its OpenAPI document: see shared/examples.py."""
