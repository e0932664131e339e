"""`carrel replay`: publish a service's events again, for a broker that lost its log."""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Annotated, Any

import typer

from ops.console import TheService, counted, errors, print_table, refuse, told_in_words
from ops.rewind import rewind
from ops.target import Data, settings_to_write
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.clock import parse_instant
from shared.contracts import published
from shared.mongo import Document, connect
from shared.names import Names
from shared.relay import BATCH, outbox_producer, send_row

app = typer.Typer()


def _since(value: str | None) -> str | None:
    if value:
        try:
            parse_instant(value)
        except ValueError as error:
            raise typer.BadParameter(f"{value} is no instant: {error}") from None
    return value


@app.callback(
    invoke_without_command=True,
    subcommand_metavar="",
    # Otherwise typer takes an option after SERVICE for a sub-command.
    context_settings={"allow_interspersed_args": True},
)
def replay_command(
    service: TheService,
    since: Annotated[
        str | None,
        typer.Option(callback=_since, help="Only events recorded at this instant or later."),
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    data: Data = None,
) -> None:
    """Publish the published events of SERVICE again, in order; create missing topics.

    Use it for a broker that lost its log, or a consumer that must process events
    again. A consumer that processed an event before ignores it. Events are kept
    for CARREL_OUTBOX_DAYS; `carrel outbox` shows them.

    It does not rebuild the gateway's views, which depend on older events too:
    use `carrel rebuild gateway`.
    """
    if topic and topic not in published(service):
        known = ", ".join(published(service)) or "none"
        raise typer.BadParameter(f"{service} publishes {known}", param_hint="--topic")
    settings = settings_to_write(data)
    with told_in_words(settings):
        sent = asyncio.run(
            replay(settings, service, since=parse_instant(since) if since else None, topic=topic)
        )
    if not sent:
        refuse("Nothing of that kind is kept, so nothing was published. See `carrel outbox`.")
    print_table(("topic", "published again"), sorted(sent.items()))
    typer.echo(f"{sum(sent.values())} events of {service} were published again.")


async def replay(
    settings: Settings, service: str, *, since: datetime | None = None, topic: str | None = None
) -> Counter[str]:
    """Publish the kept rows of a service again; return their number by topic.

    Pending rows are left to the relay.
    """
    wanted: Document = {"published_at": {"$exists": True}, "pending": {"$exists": False}}
    if since:
        wanted["recorded_at"] = {"$gte": since}
    if topic:
        wanted["topic"] = topic
    sent: Counter[str] = Counter()
    names = Names(settings.topic_prefix)
    client = connect(settings.mongo_url)
    # The services' own producers may be older than the broker's log.
    producer = outbox_producer(settings.kafka, f"{service}-replay", idempotent=False)
    try:
        outbox = client[f"{settings.database_prefix}_{service}"].outbox
        total = await outbox.count_documents(wanted)
        if not total:
            return sent
        await ensure_topics(settings, NAMES)
        if taken_back := await rewind(settings):
            errors.print(f"{taken_back} positions of a log that was lost were taken back.")
        await producer.start()
        with counted(f"Publishing {service} again") as bar:
            task = bar.add_task("", total=total)
            # In order of insertion, which for one aggregate is the order of its changes.
            rows = outbox.find(wanted).hint([("$natural", 1)]).batch_size(BATCH)
            while batch := await rows.to_list(BATCH):
                acks: list[asyncio.Future[Any]] = [
                    await send_row(producer, row, names) for row in batch
                ]
                await asyncio.gather(*acks)
                sent.update(row["topic"] for row in batch)
                bar.advance(task, len(batch))
        return sent
    finally:
        await producer.stop()
        client.close()
