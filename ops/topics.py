"""`carrel topics`: compare the topics declared in shared/bus/topics.py with those on the broker."""

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from ops.console import AsJson, errors, print_json, print_table, told_in_words
from ops.offsets import Positions
from ops.target import Data, settings_of, settings_to_write
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import declared_topics, ensure_topics

Configs = dict[str, str]
DAY_MS = 86_400_000
app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True)
class Topic:
    """A topic on the broker; `fault` describes its difference from the declaration."""

    topic: str
    partitions: int
    replication: int
    events: int
    retention: str
    """`30 days`, `for ever`, or `?` if the broker does not report it."""
    fault: str
    """Empty if the topic is as declared. An operator has to correct a fault."""
    note: str
    """Another difference, which may be intended."""


@app.callback()
def topics() -> None:
    """List, create and check the topics."""


@app.command(name="list")
def list_command(as_json: AsJson = False, data: Data = None) -> None:
    """List each topic with its partitions, copies, number of events and retention."""
    settings = settings_of(data)
    with told_in_words(settings):
        found = asyncio.run(inspect(settings))
    if as_json:
        print_json({"topics": [asdict(topic) for topic in found]})
        return
    rows = [(t.topic, t.partitions, t.replication, t.events, t.retention) for t in found]
    print_table(("topic", "partitions", "copies", "events", "kept"), rows)
    _tell_faults(found)


@app.command()
def create(
    data: Data = None,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, help="Partitions of a new topic; default: CARREL_PARTITIONS."),
    ] = None,
    replication: Annotated[
        int | None,
        typer.Option(min=1, max=7, help="Copies of a new topic; default: CARREL_REPLICATION."),
    ] = None,
) -> None:
    """Create the missing topics. Existing topics stay as they are."""
    settings = settings_to_write(data)
    given = {"partitions": partitions, "replication": replication}
    settings = settings.model_copy(update={k: v for k, v in given.items() if v is not None})
    with told_in_words(settings):
        made = asyncio.run(ensure_topics(settings, NAMES))
    for topic in made:
        typer.echo(f"created {topic}")
    typer.echo(f"{len(made)} topics created." if made else "No topic was missing.")


@app.command()
def check(as_json: AsJson = False, data: Data = None) -> None:
    """Compare the topics with their declaration; exit 1 if one is missing or its partitions differ.

    The numbers are CARREL_PARTITIONS, CARREL_REPLICATION and CARREL_RETENTION_DAYS.
    """
    settings = settings_of(data)
    with told_in_words(settings):
        found = asyncio.run(inspect(settings))
    faulty = [topic for topic in found if topic.fault]
    if as_json:
        print_json({"faults": [asdict(t) for t in faulty], "topics": len(found)})
    else:
        notes = [(topic.topic, topic.note) for topic in found if topic.note]
        if notes:
            print_table(("topic", "differs, if that is not intended"), notes)
        _tell_faults(found)
        if not faulty:
            typer.echo(f"All {len(found)} topics are as declared.")
    raise typer.Exit(1 if faulty else 0)


def _tell_faults(found: list[Topic]) -> None:
    for topic in found:
        if topic.fault:
            errors.print(f"{topic.topic}: {topic.fault}", markup=False)


async def inspect(settings: Settings) -> list[Topic]:
    """Return every declared topic as it is, missing ones with 0 partitions."""
    async with Positions(settings.kafka, settings.topic_prefix) as positions:
        starts, ends = await positions.starts(), await positions.ends()
        held: Counter[str] = Counter()
        for partition, end in ends.items():
            held[partition.topic] += end - starts[partition]
        told = await _configs(positions)
        return [
            _compare(topic, positions.topics.get(name), told[topic.name], held[name])
            for topic in declared_topics(settings, NAMES)
            if (name := positions.names.topic(topic.name))
        ]


def _compare(declared: Any, found: dict[str, Any] | None, told: Configs, events: int) -> Topic:
    if found is None:
        fault = "is missing: carrel topics create"
        return Topic(declared.name, 0, 0, 0, "", fault, "")
    partitions = len(found["partitions"])
    replication = min(len(partition["replicas"]) for partition in found["partitions"])
    fault, notes = "", []
    if partitions != declared.num_partitions:
        # Adding partitions is no remedy: a patron's later events would go to another partition.
        fault = (
            f"has {partitions} partitions, {declared.num_partitions} are declared: set "
            "CARREL_PARTITIONS to what is there, or create it anew and replay"
        )
    if replication < declared.replication_factor:
        notes.append(f"{replication} copies, not {declared.replication_factor}")
    notes += [
        f"{name} {told[name]}, not {value}"
        for name, value in declared.topic_configs.items()
        if name in told and told[name] != value
    ]
    kept = _days(told.get("retention.ms", ""))
    return Topic(declared.name, partitions, replication, events, kept, fault, "; ".join(notes))


def _days(retention_ms: str) -> str:
    if not retention_ms:
        return "?"
    return "for ever" if int(retention_ms) < 0 else f"{int(retention_ms) / DAY_MS:g} days"


async def _configs(positions: Positions) -> defaultdict[str, Configs]:
    """Return the broker's settings of each topic; empty if the broker does not report them."""
    found: defaultdict[str, Configs] = defaultdict(dict)
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, positions.names.on_kafka(topic))
        for topic in positions.topics
    ]
    with suppress(KafkaError):
        for answer in await positions.admin.describe_configs(resources) if resources else ():
            for _, _, _, topic, entries in answer.resources:
                found[topic] = {entry[0]: entry[1] for entry in entries}
    return found
