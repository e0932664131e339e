"""`carrel dead-letters`: the messages that a service could not take in, and what becomes of them.

Kafka keeps every letter; which of them were dealt with, by whom and when, stands in the collection
`dead_letters` of the service's database (docs/decisions/008).
"""

import asyncio
import getpass
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
import typer
from aiokafka import AIOKafkaProducer, ConsumerRecord
from pymongo.errors import DuplicateKeyError

from ops.console import (
    DATA,
    AsJson,
    Data,
    OneService,
    counted,
    errors,
    out,
    print_json,
    print_table,
    printable,
    refuse,
    settings_of,
    told_in_words,
    working,
)
from ops.offsets import Positions
from shared.bus import DEAD_LETTER_BYTES, SERVICES, dead_letter_topic
from shared.contracts import published
from shared.mongo import Client, Document, connect
from shared.settings import Settings

HOLD_SECONDS = 60
"""After this time a letter that is being sent counts as left by a command that was ended."""
SHOWN_BYTES = 512
"""Of a payload that is no JSON."""
_ID = re.compile(rf"({'|'.join(SERVICES)})/(\d+)-(\d+)")

Outcome = Literal["retried", "discarded"]
app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True)
class Letter:
    """A buried message, without its payload."""

    service: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds; tells it from a letter at the same place of a log that was lost."""
    topic: str
    """Where it came from; empty if it does not say."""
    error: str
    tries: str
    buried_at: str
    dealt_with: str
    """`retried` or `discarded`; `sending` while that is done; empty for one that waits."""
    dealt_by: str
    dealt_at: datetime | None

    @property
    def id(self) -> str:
        """By which an operator names it."""
        return f"{self.service}/{self.partition}-{self.offset}"

    @property
    def mark(self) -> str:
        """The key of what is remembered of it."""
        return f"{self.partition}-{self.offset}-{self.timestamp}"

    def document(self) -> dict[str, Any]:
        """As it is shown with --json."""
        return {"id": self.id, **asdict(self)}


@dataclass(frozen=True)
class Filter:
    """Which letters are meant. What is empty does not narrow them."""

    services: Sequence[str] = SERVICES
    topic: str = ""
    error: str = ""
    ids: frozenset[str] = field(default_factory=frozenset)
    waiting: bool = True
    """Only those that nobody has dealt with."""

    def holds(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            (not self.topic or letter.topic == self.topic)
            and self.error in letter.error
            and (not self.ids or letter.id in self.ids)
            and (not self.waiting or letter.dealt_with in ("", "sending"))
        )


def _ids(values: list[str] | None) -> list[str] | None:
    for value in values or ():
        if not _ID.fullmatch(value):
            raise typer.BadParameter(f"{value}: an id is written as in notices/0-12")
    return values


Topic = Annotated[str, typer.Option("--topic", help="Only from this topic.")]
Error = Annotated[str, typer.Option("--error", help="Only whose error contains this text.")]
Ids = Annotated[
    list[str] | None, typer.Argument(callback=_ids, metavar="ID", help="As `list` shows them.")
]
All = Annotated[bool, typer.Option("--all", help="Every waiting one that the options leave.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.callback()
def dead_letters() -> None:
    """Messages that could not be taken in: list and show them, send them back or discard them."""


@app.command(name="list")
def list_command(
    *,
    service: OneService = None,
    topic: Topic = "",
    error: Error = "",
    every: Annotated[bool, typer.Option("--all", help="Also those dealt with.")] = False,
    as_json: AsJson = False,
    data: Data = DATA,
) -> None:
    """The letters that wait for a decision."""
    settings = settings_of(data)
    wanted = Filter([service] if service else SERVICES, topic, error, waiting=not every)
    with told_in_words(settings), working("Reading the dead letters"):
        found = asyncio.run(letters(settings, wanted))
    if as_json:
        print_json({"dead_letters": [letter.document() for letter in found]})
        return
    for letter in found:
        state = f"  {letter.dealt_with} by {letter.dealt_by}" if letter.dealt_with else ""
        tries = f"{letter.tries} tries" if letter.tries != "1" else "1 try"
        out.print(printable(f"{letter.id}  {letter.topic}  {letter.buried_at[:19]}Z{state}"))
        out.print(printable(f"    {letter.error} ({tries})"))
    if not found:
        typer.echo("No dead letter waits." if not every else "There are no dead letters.")
        return
    summary = Counter((letter.service, letter.topic, letter.error) for letter in found)
    if len(found) > len(summary):
        out.print()
        rows = [(count, *map(printable, kind)) for kind, count in summary.most_common()]
        print_table(("letters", "service", "topic", "error"), rows)


@app.command()
def show(
    letter_id: Annotated[
        str, typer.Argument(callback=lambda v: _ids([v]) and v, metavar="ID", help="As listed.")
    ],
    as_json: AsJson = False,
    data: Data = DATA,
) -> None:
    """One letter: its headers, and its payload as JSON, text or bytes."""
    settings = settings_of(data)
    wanted = Filter([letter_id.partition("/")[0]], ids=frozenset([letter_id]), waiting=False)
    with told_in_words(settings):
        found = asyncio.run(_one(settings, wanted))
    if found is None:
        refuse(f"There is no dead letter {letter_id}. `carrel dead-letters list --all` shows all.")
    letter, record = found
    value = record.value or b""
    headers = {name: _text(raw) for name, raw in record.headers}
    if as_json:
        print_json(
            {
                **letter.document(),
                "key": _text(record.key or b""),
                "headers": headers,
                "payload": _decoded(value),
                "payload_bytes": len(value),
                "payload_hex": "" if _is_json(value) else value.hex(),
            }
        )
        return
    rows = [("key", printable(_text(record.key or b"")))]
    rows += [(name, printable(text)) for name, text in headers.items()]
    print_table((letter.id, letter.dealt_with or "waiting"), rows)
    out.print()
    out.print(_shown(value), soft_wrap=True)


@app.command()
def retry(
    *,
    ids: Ids = None,
    service: OneService = None,
    topic: Topic = "",
    error: Error = "",
    every: All = False,
    yes: Yes = False,
    data: Data = DATA,
) -> None:
    """Publish letters again on their topic, as they first came, and remember that.

    First mend what was at fault, or they come back. Every service that hears
    the topic gets them again; those that took them in already bear it.
    """
    _deal(
        ids=ids,
        service=service,
        topic=topic,
        error=error,
        every=every,
        yes=yes,
        data=data,
        outcome="retried",
    )


@app.command()
def discard(
    *,
    ids: Ids = None,
    service: OneService = None,
    topic: Topic = "",
    error: Error = "",
    every: All = False,
    yes: Yes = False,
    data: Data = DATA,
) -> None:
    """Remember that letters need nothing more. They stay on their topic, and `list --all`."""
    _deal(
        ids=ids,
        service=service,
        topic=topic,
        error=error,
        every=every,
        yes=yes,
        data=data,
        outcome="discarded",
    )


def _deal(
    *,
    ids: list[str] | None,
    service: str | None,
    topic: str,
    error: str,
    every: bool,
    yes: bool,
    data: Any,
    outcome: Outcome,
) -> None:
    if bool(ids) == every:
        raise typer.BadParameter("give ids, or --all for every one that the options leave")
    settings = settings_of(data)
    named = frozenset(ids or ())
    services = [service] if service else sorted({i.partition("/")[0] for i in named}) or SERVICES
    wanted = Filter(services, topic, error, named, waiting=every)
    with told_in_words(settings):
        with working("Reading the dead letters"):
            found = asyncio.run(letters(settings, wanted))
        _check(named, found, outcome)
        if not found:
            typer.echo("No dead letter waits that the options leave. Nothing was done.")
            return
        if every and not yes:
            _confirm(found, outcome)
        done = asyncio.run(deal(settings, found, outcome, _who()))
    typer.echo(f"{done} of {len(found)} letters {outcome}.")
    if done < len(found):
        errors.print("The others were, or are being, dealt with by someone else: see `list --all`.")


def _check(named: frozenset[str], found: list[Letter], outcome: Outcome) -> None:
    """Refuse as a whole what can't be done as a whole."""
    absent = sorted(named - {letter.id for letter in found})
    if absent:
        refuse(f"There is no dead letter {', '.join(absent)}. Nothing was done.")
    for letter in found:
        if named and letter.dealt_with in ("retried", "discarded"):
            refuse(
                f"{letter.id} was {letter.dealt_with} by {letter.dealt_by} at {letter.dealt_at}. "
                "Nothing was done."
            )
        if outcome == "retried" and letter.topic not in published():
            refuse(
                f"{letter.id} does not say a known topic, so it can't go back: discard it, or "
                "leave it out. Nothing was done."
            )


def _confirm(found: list[Letter], outcome: Outcome) -> None:
    kinds = Counter((letter.service, letter.topic, letter.error) for letter in found)
    rows = [(count, *map(printable, kind)) for kind, count in kinds.most_common()]
    print_table(("letters", "service", "topic", "error"), rows)
    if not sys.stdin.isatty():
        refuse(f"{len(found)} letters would be {outcome}. To do it, add --yes.")
    typer.confirm(f"{len(found)} letters will be {outcome}. Go on?", abort=True)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


async def letters(settings: Settings, wanted: Filter) -> list[Letter]:
    """The letters that are meant, oldest first within each partition."""
    found = []
    async with _opened(settings) as (client, positions):
        for service in wanted.services:
            async with aclosing(_read(settings, client, positions, service)) as read:
                found += [letter async for letter, _ in read if wanted.holds(letter)]
    return found


async def _one(
    settings: Settings, wanted: Filter
) -> tuple[Letter, ConsumerRecord[bytes, bytes]] | None:
    async with _opened(settings) as (client, positions):
        for service in wanted.services:
            async with aclosing(_read(settings, client, positions, service)) as read:
                async for letter, record in read:
                    if wanted.holds(letter):
                        return letter, record
    return None


async def deal(settings: Settings, chosen: Sequence[Letter], outcome: Outcome, who: str) -> int:
    """Retry or discard letters; how many, for another operator may have been quicker.

    Each is claimed first, then sent, then marked. Ended between the last two, it may be sent again
    by whoever retries it later.
    """
    keys = {letter.mark for letter in chosen}
    done = 0
    async with _opened(settings) as (client, positions), _producer(settings, outcome) as producer:
        with counted(f"Letters {outcome}") as bar:
            task = bar.add_task("", total=len(chosen))
            for service in dict.fromkeys(letter.service for letter in chosen):
                marks = client[f"{settings.database_prefix}_{service}"].dead_letters
                async with aclosing(_read(settings, client, positions, service)) as read:
                    async for letter, record in read:
                        if letter.mark not in keys:
                            continue
                        bar.advance(task)
                        if not await _claim(marks, letter, who):
                            continue
                        if producer is not None:
                            await _send(marks, producer, letter, record)
                        change = {"$set": {"state": outcome}, "$currentDate": {"at": True}}
                        await marks.update_one({"_id": letter.mark, "by": who}, change)
                        done += 1
    return done


async def _claim(marks: Any, letter: Letter, who: str) -> bool:
    """Whether this command is the one to deal with the letter: never two at once."""
    about = {"service": letter.service, "topic": letter.topic, "error": letter.error}
    claim: Document = {
        "by": {"$literal": who},
        "at": "$$NOW",
        "state": "sending",
        **{name: {"$literal": text} for name, text in about.items()},
    }
    with suppress(DuplicateKeyError):
        await marks.update_one({"_id": letter.mark, "state": "new"}, [{"$set": claim}], upsert=True)
        return True
    until = {"$dateSubtract": {"startDate": "$$NOW", "unit": "second", "amount": HOLD_SECONDS}}
    left = {"_id": letter.mark, "state": "sending", "$expr": {"$lt": ["$at", until]}}
    return await marks.find_one_and_update(left, [{"$set": claim}]) is not None


async def _send(
    marks: Any,
    producer: AIOKafkaProducer,
    letter: Letter,
    record: ConsumerRecord[bytes, bytes],
) -> None:
    """Publish a letter as the message that it was."""
    try:
        await producer.send_and_wait(
            letter.topic,
            value=record.value,
            key=record.key,
            headers=[(name, raw) for name, raw in record.headers if not _of_burial(name)],
        )
    except BaseException:
        # Whether it was sent is not known: it waits again, and may come twice.
        await marks.delete_one({"_id": letter.mark, "state": "sending"})
        raise


def _of_burial(header: str) -> bool:
    return header.startswith("carrel-")


async def _read(
    settings: Settings, client: Client, positions: Positions, service: str
) -> AsyncGenerator[tuple[Letter, ConsumerRecord[bytes, bytes]]]:
    marks = client[f"{settings.database_prefix}_{service}"].dead_letters
    dealt = {mark["_id"]: mark async for mark in marks.find({})}
    async with aclosing(positions.records(dead_letter_topic(service))) as records:
        async for record in records:
            headers = {name: _text(raw) for name, raw in record.headers}
            letter = Letter(
                service=service,
                partition=record.partition,
                offset=record.offset,
                timestamp=record.timestamp,
                topic=headers.get("carrel-topic", ""),
                error=headers.get("carrel-error", ""),
                tries=headers.get("carrel-tries", "?"),
                buried_at=headers.get("carrel-buried-at", "") or _instant(record.timestamp),
                dealt_with="",
                dealt_by="",
                dealt_at=None,
            )
            mark = dealt.get(letter.mark)
            yield (_marked(letter, mark) if mark else letter), record


def _marked(letter: Letter, mark: Document) -> Letter:
    told = {"dealt_with": mark["state"], "dealt_by": mark["by"], "dealt_at": mark["at"]}
    return Letter(**{**asdict(letter), **told})


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Client, Positions]]:
    client: Client = connect(settings.mongo_url)
    try:
        async with Positions(settings.kafka) as positions:
            yield client, positions
    finally:
        client.close()


@asynccontextmanager
async def _producer(settings: Settings, outcome: Outcome) -> AsyncIterator[AIOKafkaProducer | None]:
    if outcome == "discarded":
        yield None
        return
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka.split(","),
        client_id="dead-letters",
        acks="all",
        enable_idempotence=True,
        max_request_size=DEAD_LETTER_BYTES,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def _instant(milliseconds: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)).isoformat()


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def _decoded(value: bytes) -> Any:
    return orjson.loads(value) if _is_json(value) else None


def _shown(value: bytes) -> str:
    """A payload for the eye: JSON laid out, text with its controls spelled out, or hex."""
    if not value:
        return "(empty)"
    if _is_json(value):
        return printable(orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).decode())
    start = value[:SHOWN_BYTES]
    more = f"\n… {len(value)} bytes in all" if len(value) > SHOWN_BYTES else ""
    try:
        return "not JSON:\n" + printable(start.decode()) + more
    except UnicodeDecodeError:
        lines = [start[at : at + 16].hex(" ") for at in range(0, len(start), 16)]
        return "not text:\n" + "\n".join(lines) + more
