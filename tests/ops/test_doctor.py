"""Reports of the doctor, lag and outbox commands on a healthy and a damaged system."""

import re
import socket
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from ops.audit.events import recorded_as_lost
from ops.audit.findings import Finding
from ops.backups import archive
from ops.commands.doctor import examine
from ops.direct import indexes_of
from services.gateway.app import create_app as create_gateway
from services.gateway.settings import Settings as GatewaySettings
from services.gateway.views.store.schema import WHOLE
from services.notices import sealing
from services.notices.visits.rules import KEPT_DAYS
from services.registry import NAMES
from services.settings import Settings
from shared.audit_seals import seal
from shared.audit_trail import Act, record
from shared.bus.topics import dead_letter_topic, ensure_topics
from shared.clock import parse_instant, wall_clock
from shared.data_keys import DataKey, settle
from shared.declared_indexes import ensure_indexes
from shared.ids import new_id
from shared.mongo import Client
from shared.processes import BACKUP_LATE_SECONDS
from tests.ops.command import carrel
from tests.support import SERVICE_KEYS, patient_client, served

WARNED = Finding("", "warn", "")
FAILED = Finding("", "fail", "")
LONG_AGO = "2021-02-19T04:00:00+00:00"


@pytest.fixture
def settings(mongo_url: str, database: str, kafka: str) -> Settings:
    return Settings(
        mongo_url=mongo_url,
        database_prefix=database,
        kafka=kafka,
        partitions=3,
        service_secret="the secret of these tests, no other",
        service_key=SERVICE_KEYS["gateway"],
    )


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in NAMES:
        monkeypatch.setenv(f"CARREL_AUDIT_KEYS_{service.upper()}", f"audit key of {service} here")


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """A client of a system with all databases and topics, as after the start of the services."""
    found = patient_client(settings.mongo_url)
    for service in NAMES:
        database = found[f"{settings.database_prefix}_{service}"]
        await ensure_indexes(database, indexes_of(service, settings))
    await found[f"{settings.database_prefix}_gateway"].account_views.insert_one({"_id": WHOLE})
    await ensure_topics(settings, NAMES)
    yield found
    found.close()


async def problems(settings: Settings) -> dict[str, Finding]:
    found = {found.check: found for found in await examine(settings) if found.level != "ok"}
    # Always reported: one broker has one copy of each topic, and neither server asks for users.
    # No backup was taken either.
    for expected in ("backup", "copies", "database users", "broker users"):
        assert found.pop(expected, WARNED).level == "warn"
    for expected in ("services", "members"):  # none is started here
        assert found.pop(expected, FAILED).level == "fail"
    return found


async def only_services_fail(settings: Settings) -> bool:
    """Return whether the command fails because no service runs, and for nothing else."""
    ran = await carrel(settings, "doctor", "--json")
    failed = {one["check"] for one in ran.json()["findings"] if one["level"] == "fail"}
    return (ran.code, failed) == (1, {"services", "members"})


async def test_a_healthy_system_has_no_findings(settings: Settings, client: Client) -> None:
    assert await problems(settings) == {}
    assert await only_services_fail(settings)
    ran = await carrel(settings, "doctor")
    assert "copies: 1 of a topic" in ran.out
    assert "database users: none is asked for" in ran.out
    assert "broker users: none, and no TLS" in ran.out
    assert len(ran.out.splitlines()) >= 12
    assert all(len(line) <= 80 for line in ran.out.splitlines())


async def test_missing_and_other_indexes_are_found(settings: Settings, client: Client) -> None:
    loans = client[f"{settings.database_prefix}_circulation"].loans
    name = next(name for name in await loans.index_information() if name != "_id_")
    await loans.drop_index(name)
    found = (await problems(settings))["indexes"]
    assert found.level == "fail"
    assert f"lacks {name}" in found.found

    longer = settings.model_copy(update={"outbox_days": 8})
    found = (await problems(longer))["indexes"]
    assert "outbox published_at_1 has another lifetime than declared" in found.found
    assert found.remedy.startswith("start each service once")

    outbox = client[f"{settings.database_prefix}_circulation"].outbox
    await outbox.drop_index("pending_1")
    await outbox.create_index("pending")
    found = (await problems(settings))["indexes"]
    assert "outbox pending_1 differs from its declaration" in found.found
    assert found.remedy.startswith("drop it")

    await client.drop_database(f"{settings.database_prefix}_notices")
    assert "_notices is empty" in (await problems(settings))["indexes"].found


async def test_an_index_that_no_service_declares_is_reported(
    settings: Settings, client: Client
) -> None:
    loans = client[f"{settings.database_prefix}_circulation"].loans
    await loans.create_index([("branch_code", 1), ("due_on", 1)], name="open_by_due_date")
    assert await problems(settings) == {
        "other indexes": Finding(
            "other indexes",
            "warn",
            f"{settings.database_prefix}_circulation.loans open_by_due_date",
            "if an earlier version created it, drop it once no process of that version runs: "
            "each write keeps it up to date, and a unique one can refuse writes",
        )
    }
    assert await only_services_fail(settings)


async def test_the_doctor_finds_events_that_do_not_flow(settings: Settings, client: Client) -> None:
    outbox = client[f"{settings.database_prefix}_circulation"].outbox
    row = {"_id": "e", "pending": True, "recorded_at": parse_instant(LONG_AGO), "topic": "t"}
    await outbox.insert_one(row)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    for number in range(1001):
        await producer.send("branch.closed", b"{}", key=str(number).encode())
    await producer.send_and_wait(dead_letter_topic("gateway"), b"{}", key=b"k")
    await producer.stop()

    found = await problems(settings)
    assert {check: finding.level for check, finding in found.items()} == {
        "outboxes": "warn",
        "consumers": "warn",
        "dead letters": "warn",
    }
    assert found["outboxes"].found.startswith("circulation: oldest row has waited")
    assert "1001 of branch.closed" in found["consumers"].found
    assert found["dead letters"].found.startswith("1 waiting")
    assert await only_services_fail(settings)

    waiting = (await carrel(settings, "outbox", "--service", "circulation", "--json")).json()
    [outbox] = waiting["outboxes"]
    assert (outbox["pending"], outbox["kept"]) == (1, 0)
    assert outbox["oldest_seconds"] > 1000
    assert (await carrel(settings, "outbox")).code == 0


async def test_incomplete_views_are_found(settings: Settings, client: Client) -> None:
    await client.drop_database(f"{settings.database_prefix}_gateway")
    found = (await problems(settings))["views"]
    assert (found.level, "carrel rebuild gateway" in found.remedy) == ("fail", True)


async def test_secrets_that_are_missing_or_weak_are_found(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = settings.model_copy(update={"service_secret": "", "service_key": ""})
    monkeypatch.setenv("CARREL_CARD_KEY", "1234")
    found = await problems(weak)
    assert found["CARREL_SERVICE_SECRET"].found == "is not set"
    assert found["CARREL_CARD_KEY"].found == "can be guessed"
    assert found["CARREL_SERVICE_KEY"].found == "is not set"
    same = settings.model_copy(update={"service_secret": "one secret of two purposes"})
    monkeypatch.setenv("CARREL_CARD_KEY", same.service_secret)
    assert (await problems(same))["secrets"].level == "fail"
    monkeypatch.setenv("CARREL_CARD_KEY", "the former key of the cards")
    monkeypatch.setenv("CARREL_RESET_KEYS", "a key of codes alone,the former key of the cards")
    found = await problems(settings)
    assert found["secrets"].level == "warn"
    assert "CARREL_CARD_KEY, CARREL_RESET_KEYS have the same" in found["secrets"].found
    bad = await carrel(settings, "doctor", CARREL_OUTBOX_DAYS="none")
    assert bad.code == 1
    assert "CARREL_OUTBOX_DAYS" in bad.err


async def test_every_command_prints_which_server_does_not_answer(settings: Settings) -> None:
    away = settings.model_copy(
        update={"mongo_url": "mongodb://127.0.0.1:1/?replicaSet=rs0", "kafka": "127.0.0.1:1"}
    )
    found = await problems(away)
    assert {check: finding.level for check, finding in found.items()} == {
        "database": "fail",
        "broker": "fail",
    }
    for command in (
        "doctor",
        "lag",
        "outbox",
        "topics list",
        "dead-letters list",
        "replay notices",
    ):
        ran = await carrel(away, *command.split())
        assert ran.code == 1, command
        assert "127.0.0.1:1/" not in ran.out + ran.err, "the URL may hold a password"


async def test_lag_counts_the_events_that_a_service_has_still_to_process(
    settings: Settings, client: Client
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    for _ in range(5):
        await producer.send_and_wait("branch.closed", b"{}", key=b"k", partition=1)
    await producer.stop()
    reader = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id="circulation")
    await reader.start()
    partition = TopicPartition("branch.closed", 1)
    reader.assign([partition])
    await reader.commit({partition: OffsetAndMetadata(2, "")})
    await reader.stop()

    document = (await carrel(settings, "lag", "--json")).json()
    lags = {(lag["service"], lag["topic"]): lag for lag in document["topics"]}
    circulation = lags["circulation", "branch.closed"]
    assert (circulation["end"], circulation["committed"], circulation["lag"]) == (5, 2, 3)
    assert lags["gateway", "branch.closed"]["lag"] == 5
    assert lags["circulation", "branch.reopened"]["lag"] == 0
    table = (await carrel(settings, "lag")).out
    assert all(len(line) <= 80 for line in table.splitlines())


async def test_an_event_of_a_change_that_the_database_lacks_is_found(
    settings: Settings, client: Client
) -> None:
    assert "topics and outboxes" not in await problems(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    headers = [("ce_id", new_id().encode()), ("ce_subject", b"patron-1")]
    await producer.send_and_wait("patron.updated", b'{"version": 3}', b"patron-1", headers=headers)
    # A faulty message has no effect on the findings about the database.
    await producer.send_and_wait("loan.renewed", b"{}", b"patron-1")
    await producer.stop()
    found = (await problems(settings))["topics and outboxes"]
    assert found.level == "fail"
    assert found.found.endswith("patron.updated")
    assert "carrel restore check" in found.remedy
    ran = await carrel(settings, "restore", "check", "--json")
    assert ran.code == 1
    [lost] = ran.json()["lost"]
    assert (lost["topic"], lost["subject"], lost["version"]) == ("patron.updated", "patron-1", 3)


async def test_a_finished_restore_records_the_lost_events_so_that_they_are_explained(
    settings: Settings, client: Client
) -> None:
    [ours, theirs] = [new_id(), new_id()]
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    for event_id, topic, subject in (
        (ours, "patron.updated", b"patron-1"),
        (theirs, "enquiry.answered", b"enquiry-1"),
    ):
        headers = [("ce_id", event_id.encode()), ("ce_subject", subject)]
        await producer.send_and_wait(topic, b'{"version": 3}', subject, headers=headers)
    await producer.stop()
    patrons = client[f"{settings.database_prefix}_accounts"].patrons
    enquiries = client[f"{settings.database_prefix}_notices"].enquiries
    for collection, name in ((patrons, "patron-1"), (enquiries, "enquiry-1")):
        await collection.insert_one({"_id": name, "version": 2})
    assert (await problems(settings))["topics and outboxes"].level == "fail"

    finished = await carrel(settings, "restore", "finish", "--json")
    assert finished.code == 0, finished.err
    assert {lost["event_id"] for lost in finished.json()["lost"]} == {ours, theirs}
    recorded = {lost.event_id: lost.topic async for lost in recorded_as_lost(client, settings)}
    assert recorded == {ours: "patron.updated", theirs: "enquiry.answered"}
    assert "topics and outboxes" not in await problems(settings)
    assert (await carrel(settings, "restore", "check")).code == 0
    for collection in (patrons, enquiries):
        assert [one["version"] async for one in collection.find({})] == [3]


async def test_the_doctor_of_a_system_with_a_prefix_examines_only_topics_with_that_prefix(
    settings: Settings, client: Client
) -> None:
    prefixed = settings.model_copy(update={"topic_prefix": "two."})
    await ensure_topics(prefixed, NAMES)
    # Faults on the topics without a prefix: lag, a dead letter, an event that no outbox has.
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    for number in range(1001):
        await producer.send("branch.closed", b"{}", key=str(number).encode())
    await producer.send_and_wait(dead_letter_topic("gateway"), b"{}", key=b"k")
    headers = [("ce_id", new_id().encode()), ("ce_subject", b"patron-1")]
    await producer.send_and_wait("patron.updated", b'{"version": 3}', b"patron-1", headers=headers)
    await producer.stop()
    # A held message, which only the group with the prefix has passed since.
    held = {"_id": "branch.closed/1", "topic": "branch.closed", "partition": 1, "offset": 0}
    held |= {"since": parse_instant(LONG_AGO), "error": "away"}
    await client[f"{settings.database_prefix}_circulation"].held_messages.insert_one(held)
    reader = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id="two.circulation")
    await reader.start()
    reader.assign([TopicPartition("two.branch.closed", 1)])
    await reader.commit({TopicPartition("two.branch.closed", 1): OffsetAndMetadata(1, "")})
    await reader.stop()

    assert await problems(prefixed) == {}
    [topics] = [found for found in await examine(prefixed) if found.check == "topics"]
    assert topics.found.endswith(", named two.…")
    faults = {"consumers", "dead letters", "topics and outboxes", "held messages"}
    assert (await problems(settings)).keys() == faults
    nowhere = settings.model_copy(update={"topic_prefix": "three."})
    assert (await problems(nowhere))["topics"].found.startswith("three.")


async def test_visits_and_keys_that_are_too_old_are_found(
    settings: Settings, client: Client
) -> None:
    database = client[f"{settings.database_prefix}_notices"]
    now = wall_clock()
    for age, day in ((0, now.date()), (KEPT_DAYS, (now - timedelta(days=KEPT_DAYS + 1)).date())):
        row = {"recorded_at": now - timedelta(days=age, hours=2), "day": day.isoformat()}
        await database.visits.insert_one({"_id": new_id(), **row})
    assert (await problems(settings))[
        "visits"
    ].found == "1 visits and 0 keys are older than 31 days"
    assert "purge-visits" in (await problems(settings))["visits"].remedy
    await database.visits.delete_many({})
    key = sealing.master_key("the master key of that month").encrypt(b"a key")
    kept = {"_id": day.isoformat(), "wrapped": key, "recorded_at": now}
    await database.visit_keys.insert_one(kept)
    assert (await problems(settings))["visits"].found.startswith("0 visits and 1 keys")


async def test_the_master_keys_in_use_must_be_set_and_others_be_removed(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = client[f"{settings.database_prefix}_notices"]
    now = wall_clock()
    key = sealing.master_key("the master key of this month").encrypt(b"a key")
    kept = {"_id": now.date().isoformat(), "wrapped": key, "recorded_at": now}
    await database.visit_keys.insert_one(kept)
    assert "lacks the master key of 1 days" in (await problems(settings))["visits"].found
    monkeypatch.setenv("CARREL_VISIT_KEYS", "the master key of this month")
    assert "visits" not in await problems(settings)
    old = "the master key of another month"
    monkeypatch.setenv("CARREL_VISIT_KEYS", f"the master key of this month,{old}")
    found = (await problems(settings))["visits"]
    assert (found.level, found.found.endswith("keys that no day needs")) == ("warn", True)


async def test_another_key_than_that_of_the_data_is_named_and_no_trail_is_blamed(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = client[f"{settings.database_prefix}_notices"]
    keys = "audit key of notices here"
    assert await settle(notices, [DataKey("CARREL_AUDIT_KEYS", keys)]) == []
    await record(notices, Act(by="o", roles=["ops"], act="looked", objects=()))
    assert await seal(notices, keys)
    assert not await problems(settings)
    monkeypatch.setenv("CARREL_AUDIT_KEYS_NOTICES", "another audit key of notices")
    found = await problems(settings)
    assert (found["keys of data"].level, found["audit trails"].level) == ("fail", "warn")
    assert "CARREL_AUDIT_KEYS is not the key that the data of" in found["keys of data"].found
    assert notices.name in found["keys of data"].found
    assert "another CARREL_AUDIT_KEYS" in found["audit trails"].found


async def test_a_backup_is_noted_and_reported_once_it_is_late(
    settings: Settings, client: Client, tmp_path: Path
) -> None:
    async def backup() -> Finding:
        return next(one for one in await examine(settings) if one.check == "backup")

    assert (await backup()).found == "none is noted"
    taken = ("backup", "take", "--to", str(tmp_path), "--json", "--recipient")
    ran = await carrel(settings, *taken, archive.new_identity()[1])
    made = ran.json()
    place = f"{socket.gethostname()}:{made['folder']}"
    found = await backup()
    assert (found.level, found.found.endswith(f"ago, at {place}")) == ("ok", True), found
    ran = await carrel(settings, "status", "--json")
    gateway = next(one for one in ran.json()["services"] if one["service"] == "gateway")
    assert [(job["job"], job["by"]) for job in gateway["jobs"]] == [("backup", place)]
    assert not [text for text in ran.json()["warnings"] if "backup" in text]
    assert place in (await carrel(settings, "status")).out.replace("\n", "")
    api_alone = GatewaySettings(
        mongo_url=settings.mongo_url, database_prefix=settings.database_prefix, roles=("api",)
    )
    async with served(create_gateway, api_alone) as api:
        metrics = (await api.operations("/metrics")).body.decode()
    [at] = re.findall(r"^carrel_backup_timestamp_seconds (.+)$", metrics, re.MULTILINE)
    assert float(at) == datetime.fromisoformat(made["cluster_time"]).timestamp()

    runs = client[f"{settings.database_prefix}_gateway"].job_runs
    late = wall_clock() - timedelta(seconds=BACKUP_LATE_SECONDS + 1)
    await runs.update_one({"_id": "backup"}, {"$set": {"at": late}})
    assert (await backup()).level == "warn"
    warnings = (await carrel(settings, "status", "--json")).json()["warnings"]
    assert [text for text in warnings if text.startswith("the last backup is of 3:00:")]
