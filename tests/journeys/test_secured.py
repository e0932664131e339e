"""The system on secured servers: each service is a user of its own, and others are refused."""

import asyncio
import json
import os
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ops.audit.findings import Finding
from ops.audit.security import check_database_users
from ops.audit.system import audit
from ops.broker.topics import ANALYST, OPERATOR
from ops.database_users import ROLE, url_for
from ops.infrastructure.processes import System
from services.accounts.settings import Settings as AccountsSettings
from services.registry import NAMES
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.topics import dead_letter_topic
from shared.mongo import connect
from shared.relay import outbox_age
from tests import patience
from tests.kafka_tools import KafkaTools
from tests.keys import CARD_KEY, DERIVING
from tests.library import Library
from tests.ops.command import run
from tests.rolling import Balancer, Callers
from tests.secured import ADMINISTRATOR, Secured, mongo_urls, secured, system_on
from tests.security.test_rotation import balanced, patrons_at
from tests.support import PUBLIC_SERVICE_KEYS, SERVICE_KEYS, until
from tests.systems import data_folder

pytestmark = pytest.mark.kafka

OLD, NEW = "the-former-password", "the-latest-password"
GIVEN = "accounts"
"""The service of a second system that gets its rights by Kafka's own tools."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Apache Kafka and MongoDB with TLS, users and rights."""
    with data_folder(tmp_path_factory) as folder, secured(folder) as started:
        yield started


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, servers: Secured) -> Iterator[System]:
    """The five services on them."""
    with (
        data_folder(tmp_path_factory) as folder,
        system_on(servers, folder, simulation=True, usual_ports=False) as started,
    ):
        yield started


@pytest.fixture
async def library(running: System) -> AsyncIterator[Library]:
    async with Library(running) as opened:
        yield opened


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory, servers: Secured) -> KafkaTools:
    """Kafka's own tools with the user of its administrator."""
    return KafkaTools(tmp_path_factory.mktemp("tools"), servers.environment[ADMINISTRATOR])


@pytest.fixture(scope="module")
def second(servers: Secured, tools: KafkaTools) -> AccountsSettings:
    """The settings of accounts in a second system on the same servers, with prefixes.

    Its users and rights are made as docs/secure.md says.
    """
    prefixes = {"CARREL_TOPIC_PREFIX": "second.", "CARREL_DATABASE_PREFIX": "second"}
    tools.set_password(f"second.{GIVEN}", OLD)
    printed = servers.carrel(ADMINISTRATOR, "topics", "acls", **prefixes).splitlines()
    tools.shell("\n".join(line for line in printed if f"User:second.{GIVEN}" in line))
    servers.carrel(ADMINISTRATOR, "topics", "create", **prefixes)
    urls = dict(mongo_urls(servers.carrel(ADMINISTRATOR, "databases", "users", **prefixes)))
    shared = Settings.from_environment(servers.environment["accounts"])
    certificate = str(servers.certificates.of("second"))
    of_administrator = str(servers.certificates.of(ADMINISTRATOR))
    return AccountsSettings.model_validate(
        {
            **shared.model_dump(),
            "mongo_url": urls["accounts"].replace(of_administrator, certificate),
            "kafka_username": "second.accounts",
            "kafka_password": OLD,
            "kafka_certificate_file": certificate,
            "kafka_key_file": certificate,
            "topic_prefix": prefixes["CARREL_TOPIC_PREFIX"],
            "database_prefix": prefixes["CARREL_DATABASE_PREFIX"],
            "roles": ("api", "relay"),
            "simulation": True,
            "card_key": CARD_KEY,
            **DERIVING,
            "service_secret": "secret of these tests",
            "signing_secrets": "another secret of these tests",
            "service_key": SERVICE_KEYS["accounts"],
            "service_keys": PUBLIC_SERVICE_KEYS,
        }
    )


def settings_of(servers: Secured, user: str, **changes: Any) -> Settings:
    """Return the settings of a user, which the servers know."""
    settings = Settings.from_environment(servers.environment[user])
    return Settings.model_validate({**settings.model_dump(), **changes})


async def test_a_loan_and_its_return_reach_the_account(library: Library, running: System) -> None:
    branch = await library.branch()
    await library.flow.settle(within=60)
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.lend(card, [barcode], branch)
    await library.flow.settle(within=60)
    await library.take_back([barcode], branch)
    await library.flow.settle(within=60)
    assert (await audit(running.settings(Settings))).findings == []


def test_the_doctor_names_the_users_and_no_password(servers: Secured, running: System) -> None:
    ran = run(["doctor", "--json"], {**os.environ, **running.environment})
    found = {one["check"]: (one["level"], one["found"]) for one in ran.json()["findings"]}
    assert found["broker users"] == ("ok", f"{OPERATOR}, over TLS")
    assert found["database users"][0] == "ok"
    assert found["database users"][1].startswith(f"{len(NAMES)} of {len(NAMES)} services")
    for user in servers.environment.values():
        assert user["CARREL_KAFKA_PASSWORD"] not in ran.out + ran.err


async def test_the_doctor_reports_a_user_of_the_database_that_may_do_more(
    servers: Secured,
) -> None:
    more = {"role": "read", "db": "carrel_accounts"}
    with MongoClient[dict[str, Any]](servers.environment[ADMINISTRATOR]["CARREL_MONGO_URL"]) as it:
        it.admin.command({"grantRolesToUser": "carrel_events", "roles": [more]})
    found = await database_users(servers, OPERATOR)
    assert found.level == "warn"
    assert found.found.startswith("carrel_events may also ")
    assert "in carrel_accounts" in found.found
    assert (await database_users(servers, "events")).level == "warn"  # sees itself
    assert (await database_users(servers, "notices")).level == "ok"
    assert servers.carrel(ADMINISTRATOR, "databases", "users") == ""  # nobody is new
    assert (await database_users(servers, OPERATOR)).level == "ok"


async def database_users(servers: Secured, user: str) -> Finding:
    """Return the doctor's finding as a user sees it."""
    settings = settings_of(servers, user)
    client = connect(settings.mongo_url)
    try:
        return await check_database_users(client, settings)
    finally:
        client.close()


async def test_a_service_reads_and_writes_its_own_topics_only(servers: Secured) -> None:
    events = client_arguments(settings_of(servers, "events"))
    with pytest.raises(TopicAuthorizationFailedError):
        await read(events, "loan.checked-out", group=None)
    with pytest.raises(TopicAuthorizationFailedError):
        await read(events, dead_letter_topic("events"), group=None)
    with pytest.raises(GroupAuthorizationFailedError):
        await read(events, "patron.erased", group="circulation")
    with pytest.raises(TopicAuthorizationFailedError):
        await write(events, "patron.erased")
    await write(events, dead_letter_topic("events"))


async def test_analysts_and_operators_have_rights_for_their_commands(
    library: Library, servers: Secured, tmp_path: Path
) -> None:
    await library.branch()
    await library.flow.settle(within=60)
    follow = ("follow", "--until-now", "--json", "--to", str(tmp_path / "tables"))
    read = json.loads(await asyncio.to_thread(servers.carrel, ANALYST, "analytics", *follow))
    [branches] = [one for one in read["tables"] if one["table"] == "branch.registered"]
    assert branches["added"] >= 1
    await write(client_arguments(settings_of(servers, "events")), dead_letter_topic("events"))
    listed = await asyncio.to_thread(servers.carrel, OPERATOR, "dead-letters", "list", "--json")
    assert {one["service"] for one in json.loads(listed)["dead_letters"]} == {"events"}


async def test_an_analyst_reads_events_and_nothing_else(servers: Secured) -> None:
    analyst = client_arguments(settings_of(servers, ANALYST))
    consumer = AIOKafkaConsumer(**analyst)
    await consumer.start()
    try:
        seen = await consumer.topics()
    finally:
        await consumer.stop()
    assert "loan.checked-out" in seen
    assert not [topic for topic in seen if topic.startswith("dead-letter.")]
    with pytest.raises(ClusterAuthorizationFailedError):  # may not open such a producer at all
        await write(analyst, "loan.checked-out")


@pytest.mark.parametrize(
    "changes",
    [
        {"kafka_password": "another"},
        {"kafka_username": "nobody"},
        {"kafka_security": "none", "kafka_ca_file": "", "kafka_certificate_file": "",
         "kafka_key_file": "", "kafka_username": "", "kafka_password": ""},
        {"kafka_ca_file": ""},
        {"kafka_certificate_file": "", "kafka_key_file": ""},
    ],
    ids=["password", "name", "no TLS", "unknown authority", "no certificate"],
)  # fmt: skip
async def test_kafka_refuses_a_client_with_a_wrong(
    servers: Secured, changes: dict[str, str]
) -> None:
    settings = settings_of(servers, "events", **changes)
    with pytest.raises((KafkaError, TimeoutError)):
        await read(client_arguments(settings), "patron.erased", group="events")


async def test_a_certificate_alone_names_a_user(servers: Secured) -> None:
    settings = settings_of(
        servers,
        "events",
        kafka=servers.by_certificate,
        kafka_security="tls",
        kafka_username="",
        kafka_password="",
    )
    await read(client_arguments(settings), "patron.erased", group="events")
    with pytest.raises(TopicAuthorizationFailedError):
        await read(client_arguments(settings), "loan.checked-out", group=None)


async def test_a_service_with_the_user_of_another_consumes_nothing_and_says_why(
    servers: Secured, running: System
) -> None:
    process = running.process("events")
    rightful = process.environment
    other = servers.environment["circulation"]
    user = ("CARREL_KAFKA_USERNAME", "CARREL_KAFKA_PASSWORD")
    process.stop()
    process.environment = {**rightful, **{name: other[name] for name in user}}
    process.start()
    async with aiohttp.ClientSession() as session:
        try:
            await until(partial(says, session, running, "TopicAuthorizationFailedError"))
        finally:
            process.stop()
            process.environment = rightful
            process.start()
        await until(partial(says, session, running, "listening"))


async def says(session: aiohttp.ClientSession, running: System, text: str) -> bool:
    """Return whether the health of events says this of its consumer."""
    async with session.get(f"{running.operations_url('events')}/health/ready") as answer:
        return text in str((await answer.json())["checks"]["consumer"])


def test_mongodb_refuses_a_service_at_the_database_of_another(servers: Secured) -> None:
    url = servers.environment["events"]["CARREL_MONGO_URL"]
    with MongoClient[dict[str, Any]](url) as events:
        events["carrel_events"]["probe"].insert_one({})
        events["carrel_events"]["probe"].delete_one({})
        for act in (
            events["carrel_events"]["audit_trail"].drop,
            events["carrel_accounts"]["patrons"].find_one,
            lambda: events["carrel_accounts"]["patrons"].insert_one({}),
            lambda: events.admin.command({"usersInfo": 1}),
            lambda: events.drop_database("carrel_events"),
        ):
            with pytest.raises(OperationFailure) as refused:
                act()
            assert refused.value.code == 13  # Unauthorized


@pytest.mark.parametrize("wrong", ["password", "no user", "no TLS", "no certificate"])
def test_mongodb_refuses_a_client_with(servers: Secured, wrong: str) -> None:
    url = servers.environment["events"]["CARREL_MONGO_URL"]
    start, _, rest = url.partition("@")
    plain = rest.partition("&authSource")[0]
    url = {
        "password": f"{start}x@{rest}",
        "no user": f"mongodb://{rest.replace('&authSource=admin', '')}",
        "no TLS": f"{start}@{plain}&authSource=admin",
        "no certificate": url.partition("&tlsCertificateKeyFile")[0],
    }[wrong]
    with (
        MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=2000) as client,
        pytest.raises(PyMongoError),
    ):
        client["carrel_events"]["activities"].find_one()


# ---- a second system on the same servers --------------------------------------------------------


def test_kafkas_own_tool_gives_the_rights_that_are_printed_for_it(
    tools: KafkaTools, second: AccountsSettings
) -> None:
    """The second system got the rights of a service by the lines, the first one by `--create`."""
    rights: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    resource = ("", "")
    for line in tools.list_rights().splitlines():
        if found := re.search(r"resourceType=(\w+), name=([^,]+), patternType=LITERAL", line):
            resource = found[1], found[2]
        elif found := re.search(r"User:([^,]+), host=\*, operation=(\w+), .*=ALLOW", line):
            rights[found[1]].add((*resource, found[2]))
    expected = {(kind, f"second.{name}", act) for kind, name, act in rights[GIVEN]}
    assert {kind for kind, _, _ in expected} == {"TOPIC", "GROUP"}
    assert rights[second.kafka_username] == expected


async def test_no_request_fails_while_passwords_and_a_certificate_are_replaced(
    servers: Secured, tools: KafkaTools, second: AccountsSettings
) -> None:
    """The steps of docs/security.md, at Kafka and MongoDB at once."""
    settings = second

    async def update(balancer: Balancer, **changes: Any) -> None:
        nonlocal settings
        settings = settings.model_copy(update=changes)
        await balancer.update(settings)

    async with balanced(second, "patron") as balancer:
        async with Callers(patrons_at(balancer)) as callers:
            with database_administrator(servers) as users:
                await asyncio.to_thread(tools.set_password, second.kafka_username, NEW)
                servers.certificates.replace("second")
                role = {"role": ROLE, "db": "second_accounts"}
                users.command({"createUser": "second_next", "pwd": OLD, "roles": [role]})
                await callers.round()
                url = url_for(second.mongo_url, "second_next", OLD)
                await update(balancer, kafka_password=SecretStr(NEW), mongo_url=url)
                users.command({"updateUser": "second_accounts", "pwd": NEW})
                await callers.round()
                await update(balancer, mongo_url=url_for(second.mongo_url, "second_accounts", NEW))
                users.command({"dropUser": "second_next"})
                await callers.round()
        await all_are_published(settings)
    with pytest.raises(KafkaError):
        await write(client_arguments(second), "second.patron.registered")
    with pytest.raises(OperationFailure), MongoClient[Any](second.mongo_url) as former:
        former["second_accounts"]["cardholders"].find_one()


@contextmanager
def database_administrator(servers: Secured) -> Iterator[Any]:
    """Yield the database of users, as the user who may change them."""
    url = servers.environment[ADMINISTRATOR]["CARREL_MONGO_URL"]
    with MongoClient[dict[str, Any]](url) as client:
        yield client.admin


async def all_are_published(settings: AccountsSettings) -> None:
    """Wait until no event is left in the outbox of accounts."""
    client = connect(settings.mongo_url)

    async def nothing_waits() -> bool:
        return not await outbox_age(client["second_accounts"])

    try:
        await until(nothing_waits)
    finally:
        client.close()


async def read(connection: dict[str, Any], topic: str, group: str | None) -> None:
    """Open a consumer of a topic and get its position; raises what the broker answers."""
    consumer = AIOKafkaConsumer(topic, **connection, group_id=group, request_timeout_ms=5000)
    async with patience.within(20):
        await consumer.start()
        try:
            await consumer.getmany(timeout_ms=500)
            for partition in consumer.assignment():
                await consumer.position(partition)
        finally:
            await consumer.stop()


async def write(connection: dict[str, Any], topic: str) -> None:
    """Write a message; raises what the broker answers."""
    producer = AIOKafkaProducer(**connection, acks="all", enable_idempotence=True)
    async with patience.within(20):
        await producer.start()
        try:
            await producer.send_and_wait(topic, b"{}")
        finally:
            await producer.stop()
