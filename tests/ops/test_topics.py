"""Topics as they are declared, compared with those of a real broker."""

from typing import Any

import pytest
from aiokafka.errors import InvalidReplicationFactorError

from ops.broker.offsets import subscribed_topics
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import (
    DEAD_LETTER_BYTES,
    all_topics,
    dead_letter_topic,
    declared_topics,
    ensure_topics,
)
from shared.contracts import published
from tests.ops.command import carrel


@pytest.fixture
def settings(mongo_url: str, database: str, kafka: str) -> Settings:
    return Settings(mongo_url=mongo_url, database_prefix=database, kafka=kafka, partitions=3)


async def test_missing_topics_are_reported_then_created_once(settings: Settings) -> None:
    before = await carrel(settings, "topics", "check")
    assert before.code == 1
    assert "loan.overdue: is missing: carrel topics create" in before.err
    made = await carrel(settings, "topics", "create")
    assert made.code == 0
    assert f"{len(all_topics(NAMES))} topics created." in made.out
    assert (await carrel(settings, "topics", "create")).out == "No topic was missing.\n"
    after = await carrel(settings, "topics", "check")
    assert (after.code, after.out) == (0, f"All {len(all_topics(NAMES))} topics are as declared.\n")


async def test_other_numbers_are_reported_and_not_changed(settings: Settings) -> None:
    await carrel(settings, "topics", "create", "--partitions", "2")
    checked = await carrel(settings, "topics", "check", "--json", CARREL_RETENTION_DAYS="7")
    assert checked.code == 1
    faults = checked.json()["faults"]
    assert len(faults) == len(all_topics(NAMES))
    assert "has 2 partitions, 3 are declared" in faults[0]["fault"]
    assert faults[0]["note"] == "retention.ms 2592000000, not 604800000"
    fit = await carrel(settings, "topics", "check", CARREL_PARTITIONS="2")
    assert fit.code == 0


async def test_the_list_says_what_each_topic_holds(settings: Settings) -> None:
    await ensure_topics(settings, NAMES)
    listed = (await carrel(settings, "topics", "list", "--json")).json()["topics"]
    by_name = {topic["topic"]: topic for topic in listed}
    assert by_name.keys() == set(all_topics(NAMES))
    overdue, dead_letters = by_name["loan.overdue"], by_name["dead-letter.notices"]
    assert (overdue["partitions"], overdue["replication"], overdue["events"]) == (3, 1, 0)
    assert (overdue["retention"], dead_letters["retention"]) == ("30 days", "for ever")
    table = (await carrel(settings, "topics", "list")).out
    assert all(len(line) <= 80 for line in table.splitlines())


async def test_a_refused_topic_is_an_error_and_not_silence(settings: Settings) -> None:
    wanted = settings.model_copy(update={"replication": 3})
    with pytest.raises(InvalidReplicationFactorError):
        await ensure_topics(wanted, NAMES)
    ran = await carrel(settings, "topics", "create", "--replication", "3")
    assert ran.code == 1
    assert "InvalidReplicationFactorError" in ran.err


def test_three_copies_need_two_acknowledgements_and_dead_letters_may_be_large() -> None:
    one, three = (
        {topic.name: topic.topic_configs for topic in declared_topics(settings, NAMES)}
        for settings in (Settings(), Settings(replication=3))
    )
    assert {configs["min.insync.replicas"] for configs in one.values()} == {"1"}
    assert {configs["min.insync.replicas"] for configs in three.values()} == {"2"}
    assert three["dead-letter.gateway"]["max.message.bytes"] == str(DEAD_LETTER_BYTES)


def test_events_are_kept_for_the_days_of_the_setting_and_dead_letters_for_ever() -> None:
    kept = {
        topic.name: topic.topic_configs["retention.ms"]
        for topic in declared_topics(Settings(retention_days=7), NAMES)
    }
    week = str(7 * 24 * 60 * 60 * 1000)
    assert {kept[topic] for topic in published()} == {week}
    assert {kept[dead_letter_topic(service)] for service in NAMES} == {"-1"}


async def test_the_rights_are_those_of_the_declared_topics(settings: Settings) -> None:
    printed = (await carrel(settings, "topics", "acls", "--json")).json()["grants"]
    for service in NAMES:
        own = [grant for grant in printed if grant["user"] == service]
        written = names_of(own, "Write", "topic")
        assert written == {*published(service), dead_letter_topic(service)}
        assert names_of(own, "Read", "topic") == set(subscribed_topics().get(service, ()))
        assert names_of(own, "Read", "group") == {service}
        assert {op for grant in own for op in grant["operations"]} == {"Read", "Write"}
    analyst = [grant for grant in printed if grant["user"] == "analyst"]
    assert names_of(analyst, "Read", "topic") == set(published())
    assert len(analyst) == 1
    operator = [grant for grant in printed if grant["user"] == "operator"]
    assert names_of(operator, "Create", "topic") == set(all_topics(NAMES))
    assert {grant["user"] for grant in printed} == {*NAMES, "analyst", "operator"}


def names_of(grants: list[dict[str, Any]], operation: str, resource: str) -> set[str]:
    return {
        name
        for grant in grants
        if operation in grant["operations"] and grant["resource"] == resource
        for name in grant["names"]
    }


async def test_the_rights_are_commands_of_kafka_under_the_names_of_the_system(
    settings: Settings,
) -> None:
    ran = await carrel(settings, "topics", "acls", CARREL_TOPIC_PREFIX="two.")
    lines = ran.out.splitlines()
    [reads] = [line for line in lines if "User:two.events --operation Read --topic" in line]
    assert reads.startswith(
        f"kafka-acls.sh --bootstrap-server {settings.kafka} "
        "--command-config administrator.properties --add "
    )
    assert reads.endswith("--topic two.branch.reopened --topic two.patron.erased")
    for line in lines:
        words = line.split()
        named = [words[at + 1] for at, word in enumerate(words) if word in ("--topic", "--group")]
        assert named
        assert all(name.startswith("two.") for name in named)


async def test_a_broker_without_rights_refuses_to_give_any(settings: Settings) -> None:
    ran = await carrel(settings, "topics", "acls", "--create")
    assert ran.code == 1
    assert "does not work" in ran.err
