"""A small resource for testing the chassis, published as a fine suspension."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from shared.contracts.suspensions import FinesSuspended
from shared.unit_of_work import Origin, Work

NOON = datetime(2021, 2, 19, 4, 0, tzinfo=UTC)
ORIGIN = Origin(now=NOON, correlation_id="c-1")


@dataclass(frozen=True)
class Thing:
    id: str
    count: int
    version: int


@dataclass(frozen=True)
class Raise:
    """Increment the count of a thing."""

    id: str


def event_of(thing: Thing) -> FinesSuspended:
    return FinesSuspended(
        version=thing.version,
        suspension_id=thing.id,
        starts_on=date(2020, 12, 10),
        resumes_on=None,
        branches=(),
        kinds=("central",),
        reason=f"count {thing.count}",
    )


def raise_count(work: Work, command: Raise) -> Thing:
    thing = work.find(Thing, "things", {"_id": command.id})
    if thing is None:
        raised = Thing(command.id, 1, 1)
        work.add("things", raised)
    else:
        raised = replace(thing, count=thing.count + 1, version=thing.version + 1)
        work.save("things", raised)
    work.record(event_of(raised))
    return raised


def add_new(work: Work, command: Raise) -> Thing:
    """Add a thing, without a look whether it is there."""
    thing = Thing(command.id, 1, 1)
    work.add("things", thing)
    work.record(event_of(thing))
    return thing


def add_or_refuse(work: Work, command: Raise) -> Thing:
    if work.find(Thing, "things", {"_id": command.id}):
        raise RuntimeError("it is there already")
    return add_new(work, command)


def raise_and_fail(work: Work, command: Raise) -> Thing:
    raise_count(work, command)
    raise RuntimeError("after the change")


def process_event(work: Work, event: FinesSuspended) -> None:
    """Count how often an event had an effect."""
    work.update("things", {"_id": f"in-{event.suspension_id}"}, {"$inc": {"n": 1}}, upsert=True)
