"""`carrel topics`: the topics as they are declared in shared/bus.py, and as the broker has them."""

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from ops.console import (
    DATA,
    AsJson,
    Data,
    errors,
    print_json,
    print_table,
    settings_of,
    told_in_words,
)
from ops.offsets import Positions
from shared.bus import declared_topics, ensure_topics
from shared.settings import Settings

Configs = dict[str, str]
DAY_MS = 86_400_000
app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True)
class Topic:
    """One topic as the broker has it; `fault` says how that differs from what is declared."""

    topic: str
    partitions: int
    replication: int
    events: int
    retention: str
    """`30 days`, `for ever`, or `?` where the broker does not tell."""
    fault: str
    """Empty if it is as declared. A fault has to be mended by an operator."""
    note: str
    """Another difference, which may be intended."""


@app.callback()
def topics() -> None:
    """List, create and check the topics."""


@app.command(name="list")
def list_command(as_json: AsJson = False, data: Data = DATA) -> None:
    """Each topic with its partitions, copies, events held, and how long it keeps them."""
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
    data: Data = DATA,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Of a new topic; else CARREL_PARTITIONS.")
    ] = None,
    replication: Annotated[
        int | None, typer.Option(min=1, max=7, help="Copies of each; else CARREL_REPLICATION.")
    ] = None,
) -> None:
    """Create the topics that are missing. Those that are there stay as they are."""
    settings = settings_of(data)
    given = {"partitions": partitions, "replication": replication}
    settings = settings.model_copy(update={k: v for k, v in given.items() if v is not None})
    with told_in_words(settings):
        made = asyncio.run(ensure_topics(settings))
    for topic in made:
        typer.echo(f"created {topic}")
    typer.echo(f"{len(made)} topics created." if made else "No topic was missing.")


@app.command()
def check(as_json: AsJson = False, data: Data = DATA) -> None:
    """Compare the topics with what is declared; exit 1 if one is missing or has other partitions.

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
    """Every declared topic as it is, missing ones with 0 partitions."""
    async with Positions(settings.kafka) as positions:
        starts, ends = await positions.starts(), await positions.ends()
        held: Counter[str] = Counter()
        for partition, end in ends.items():
            held[partition.topic] += end - starts[partition]
        told = await _configs(positions)
        return [
            _compare(topic, positions.topics.get(topic.name), told[topic.name], held[topic.name])
            for topic in declared_topics(settings)
        ]


def _compare(declared: Any, found: dict[str, Any] | None, told: Configs, events: int) -> Topic:
    if found is None:
        fault = "is missing: carrel topics create"
        return Topic(declared.name, 0, 0, 0, "", fault, "")
    partitions = len(found["partitions"])
    replication = min(len(partition["replicas"]) for partition in found["partitions"])
    fault, notes = "", []
    if partitions != declared.num_partitions:
        # Not mended by adding some: a patron's later events would go to another partition.
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
    """What the broker tells of each topic's settings; nothing where it tells none."""
    found: defaultdict[str, Configs] = defaultdict(dict)
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in positions.topics]
    with suppress(KafkaError):
        for answer in await positions.admin.describe_configs(resources) if resources else ():
            for _, _, _, topic, entries in answer.resources:
                found[topic] = {entry[0]: entry[1] for entry in entries}
    return found
