"""Commands that read topics go on past messages that no consumer can process, and name them."""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ops.broker.dead_letters import Filter, find_dead_letters
from ops.direct import indexes_of
from ops.infrastructure.embedded import embedded
from services.gateway.views.store.schema import WHOLE
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import dead_letter_topic, ensure_topics
from shared.declared_indexes import ensure_indexes
from tests.ops.command import carrel
from tests.poison import LARGE, POISONS, TOPIC, Poison, allow_any_message, send_all
from tests.support import SERVICE_KEYS, patient_client
from tests.warm import Mongo

DEAD_LETTERS = [poison for poison in POISONS if len(poison.value or b"") <= LARGE]
WITHOUT_ID = ("no headers", "no event id", "event id that is no text", "event id without value")
Places = dict[tuple[int, int], Poison]


@pytest.fixture(scope="module")
def poisoned(
    mongo_url: str, mongo: Mongo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, Places]]:
    """A system whose topics have every kind of message at fault, also among the dead letters."""
    folder = tmp_path_factory.mktemp("poisoned")
    prefix = f"p{secrets.token_hex(6)}"
    with embedded(folder, mongo=False, kafka_port=None) as infrastructure:
        settings = Settings(
            mongo_url=mongo_url,
            database_prefix=prefix,
            kafka=infrastructure.kafka,
            partitions=3,
            service_key=SERVICE_KEYS["gateway"],
        )
        yield settings, asyncio.run(poison(settings))
    for name in mongo.list_database_names():
        if name.startswith(prefix):
            mongo.drop_database(name)


async def poison(settings: Settings) -> Places:
    client = patient_client(settings.mongo_url)
    try:
        for service in NAMES:
            database = client[f"{settings.database_prefix}_{service}"]
            await ensure_indexes(database, indexes_of(service, settings))
        await client[f"{settings.database_prefix}_gateway"].account_views.insert_one({"_id": WHOLE})
    finally:
        client.close()
    await ensure_topics(settings, NAMES)
    await allow_any_message(settings)
    await send_all(settings, dead_letter_topic("gateway"), DEAD_LETTERS)
    return await send_all(settings)


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        pytest.param(["audit", "--json"], 1, ['"findings": ['], id="audit"),
        pytest.param(["doctor"], 1, [f"dead letters: {len(DEAD_LETTERS)} waiting"], id="doctor"),
        pytest.param(["lag"], 1, [TOPIC], id="lag"),
        pytest.param(["topics", "check"], 0, [], id="topics check"),
        pytest.param(["restore", "check"], 0, ["have every change"], id="restore check"),
        pytest.param(["dead-letters", "list"], 0, ["gateway/"], id="dead-letters list"),
        pytest.param(["dead-letters", "list", "--json"], 0, ["gateway/"], id="… as JSON"),
        pytest.param(
            ["dead-letters", "discard", "--all", "--yes", "--service", "gateway"],
            0,
            [f"{len(DEAD_LETTERS)} of {len(DEAD_LETTERS)} dead letters discarded"],
            id="dead-letters discard",
        ),
        pytest.param(["restore", "finish"], 0, ["have every change"], id="restore finish"),
    ],
)
async def test_a_command_reads_past_messages_at_fault(
    poisoned: tuple[Settings, Places], command: Sequence[str], code: int, says: Sequence[str]
) -> None:
    ran = await carrel(poisoned[0], *command)
    assert ran.code == code, ran.err
    assert all(text in ran.out for text in says), ran.out
    assert "\x1b[2J" not in ran.out + ran.err, "a message commands the terminal"


async def test_the_audit_names_each_message_at_fault_by_its_place(
    poisoned: tuple[Settings, Places],
) -> None:
    settings, sent = poisoned
    findings = (await carrel(settings, "audit", "--json")).json()["findings"]
    without_id = {
        f"{TOPIC}/{partition}/{offset} is no event: it has no id that can be read"
        for (partition, offset), kind in sent.items()
        if kind.name in WITHOUT_ID
    }
    assert len(without_id) == len(WITHOUT_ID)
    assert without_id <= set(findings)
    others = [finding for finding in findings if finding not in without_id]
    assert all(
        finding.startswith(f"{TOPIC}/") and "is in no outbox" in finding for finding in others
    )
    assert len(others) == 2, "one for each id"


async def test_every_dead_letter_can_be_shown_whatever_it_holds(
    poisoned: tuple[Settings, Places],
) -> None:
    settings, _ = poisoned
    kept = await find_dead_letters(settings, Filter(["gateway"], waiting=False))
    assert len(kept) == len(DEAD_LETTERS)
    for as_json in ((), ("--json",)):
        for dead_letter in kept:
            ran = await carrel(settings, "dead-letters", "show", dead_letter.id, *as_json)
            assert ran.code == 0, ran.err
            assert "\x1b[2J" not in ran.out


@pytest.mark.parametrize("kind", ["", "iceberg:"], ids=["folder", "iceberg"])
async def test_messages_at_fault_are_counted_beside_the_tables_of_analysts(
    poisoned: tuple[Settings, Places], tmp_path: Path, kind: str
) -> None:
    settings, sent = poisoned
    to = f"{kind}{tmp_path / 'tables'}"
    ran = await carrel(settings, "analytics", "follow", "--to", to, "--until-now", "--json")
    assert ran.code == 0, ran.err
    [unreadable] = [one for one in ran.json()["tables"] if one["table"] == "unreadable"]
    assert unreadable["rows"] == len(sent)
