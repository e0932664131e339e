"""`carrel topics`: compare the topics declared in shared/bus/topics.py with those on the broker."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
import yaml

from ops.broker.topics import Topic, as_command, as_users, give, grants, inspect
from ops.console import AsJson, errors, explain_outages, print_json, print_table
from ops.target import Data, settings_of, settings_to_write
from services.registry import NAMES
from shared.bus.topics import ensure_topics

app = typer.Typer(no_args_is_help=True)


@app.callback()
def topics() -> None:
    """List, create and check the topics, and print who may use them."""


@app.command(name="list")
def list_command(as_json: AsJson = False, data: Data = None) -> None:
    """List each topic with its partitions, copies, number of events and retention."""
    settings = settings_of(data)
    with explain_outages(settings):
        found = asyncio.run(inspect(settings))
    if as_json:
        print_json({"topics": [asdict(topic) for topic in found]})
        return
    rows = [(t.topic, t.partitions, t.replication, t.events, t.retention) for t in found]
    print_table(("topic", "partitions", "copies", "events", "retention"), rows)
    _print_faults(found)


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
    with explain_outages(settings):
        created = asyncio.run(ensure_topics(settings, NAMES))
    for topic in created:
        typer.echo(f"created {topic}")
    typer.echo(f"{len(created)} topics created." if created else "No topic was missing.")


@app.command()
def check(as_json: AsJson = False, data: Data = None) -> None:
    """Compare the topics with their declaration; exit 1 if one is missing or its partitions differ.

    The numbers are CARREL_PARTITIONS, CARREL_REPLICATION and CARREL_RETENTION_DAYS.
    """
    settings = settings_of(data)
    with explain_outages(settings):
        found = asyncio.run(inspect(settings))
    faulty = [topic for topic in found if topic.fault]
    if as_json:
        print_json({"faults": [asdict(t) for t in faulty], "topics": len(found)})
    else:
        notes = [(topic.topic, topic.note) for topic in found if topic.note]
        if notes:
            print_table(("topic", "difference (may be intended)"), notes)
        _print_faults(found)
        if not faulty:
            typer.echo(f"All {len(found)} topics are as declared.")
    raise typer.Exit(1 if faulty else 0)


@app.command()
def acls(
    as_json: AsJson = False,
    data: Data = None,
    create_them: Annotated[
        bool,
        typer.Option("--create", help="Create them on the broker, as a user who may alter it."),
    ] = False,
    strimzi: Annotated[
        str,
        typer.Option(
            metavar="CLUSTER", help="Print users with their rights as manifests for Strimzi."
        ),
    ] = "",
) -> None:
    """Print the rights that each service, operators and analysts need on a secured Kafka.

    They are commands of Kafka's own kafka-acls.sh, derived from the declared topics. Each
    service has a user with the name of its consumer group: it writes what it publishes and its
    dead letters, and reads what it consumes. Run it again after each update.
    """
    settings = settings_to_write(data) if create_them else settings_of(data)
    given = grants(settings.topic_prefix)
    if create_them:
        with explain_outages(settings):
            count = asyncio.run(give(settings, given))
        typer.echo(f"{count} rights of {len({grant.user for grant in given})} users are given.")
    elif strimzi:
        typer.echo(yaml.safe_dump_all(as_users(given, strimzi), sort_keys=False), nl=False)
    elif as_json:
        print_json({"grants": [asdict(grant) for grant in given]})
    else:
        for grant in given:
            typer.echo(as_command(grant, settings.kafka))


def _print_faults(found: list[Topic]) -> None:
    for topic in found:
        if topic.fault:
            errors.print(f"{topic.topic}: {topic.fault}", markup=False)
