"""Patrons download all that is held about them; an erasure leaves nothing that identifies them."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from bson import json_util

from ops.infrastructure.processes import System
from services.accounts.settings import Settings as AccountsSettings
from services.settings import Settings
from shared.contracts import published
from shared.ids import card_digest
from shared.names import Names
from tests.library import PIN, Library, unique
from tests.security.test_objects import things_of
from tests.support import patient_client


async def dumps(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """Yield the place and the text of each document of every collection of every service."""
    client = patient_client(settings.mongo_url)
    try:
        for database in await client.list_database_names():
            if database.startswith(settings.database_prefix):
                for name in await client[database].list_collection_names():
                    async for document in client[database][name].find():
                        text = json_util.dumps(readable(document), ensure_ascii=False)
                        yield f"{database}.{name}", text
    finally:
        client.close()


def readable(value: Any) -> Any:
    """Return a value with its binary parts as text, such as a file or a stored response."""
    if isinstance(value, dict):
        return {name: readable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [readable(part) for part in value]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


async def messages(settings: Settings) -> AsyncIterator[tuple[str, str]]:
    """Yield the topic and the text of each message of every topic, with key and headers."""
    names = Names(settings.topic_prefix)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.split(","), enable_auto_commit=False
    )
    await consumer.start()
    try:
        known = await consumer.topics()
        partitions = [
            TopicPartition(topic, partition)
            for topic in map(names.on_kafka, published())
            if topic in known
            for partition in consumer.partitions_for_topic(topic) or ()
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record.topic, repr((record.key, record.value, record.headers))
    finally:
        await consumer.stop()


async def found(running: System, secrets: set[str]) -> set[tuple[str, str]]:
    """Return the places that hold one of the secrets, each with the secret."""
    settings = running.settings(Settings)
    hits: set[tuple[str, str]] = set()
    for source in (dumps(settings), messages(settings)):
        async for place, text in source:
            hits |= {(place, secret) for secret in secrets if secret in text}
    for child in running.processes.values():
        text = child.log.read_text(errors="replace")
        hits |= {(child.log.name, secret) for secret in secrets if secret in text}
    return hits


PLACES_OF_DIGESTS = {
    "accounts.answers",
    "accounts.attempts",
    "accounts.cardholders",
    "accounts.patrons",
    "accounts.wrong_pins",
    "circulation.patrons",
}
"""Collections with the keyed digest of a card while its holder is a patron."""


async def test_nothing_that_identifies_an_erased_patron_is_left(
    running: System, library: Library
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    things = await things_of(library, card, branch)
    patron = things["patron_id"]
    told = {kind: unique(kind) for kind in ("name", "mail", "subject", "text", "reply", "note")}
    told |= {kind: unique(kind) for kind in ("file", "content", "street")}
    phone = "+852 2921 9482"
    home = {"name": told["name"], "contact": {"postal_address": {"lines": [told["street"]]}}}
    await library.call("PATCH", f"/v1/patrons/{patron}", home, by="staff")
    contact = {"email": f"{told['mail']}@example.org", "phone": phone, "pin": PIN}
    await library.call("PUT", "/v1/me/contact", contact, by=card)
    file = await library.upload(told["content"].encode(), by=card, name=f"{told['file']}.txt")
    question = {"subject": told["subject"], "text": told["text"], "attachments": [file]}
    enquiry = (await library.post("/v1/enquiries", question, by=card))["id"]
    await library.post(f"/v1/enquiries/{enquiry}/replies", {"text": told["reply"]}, by=card)
    await library.post(f"/v1/enquiries/{enquiry}/notes", {"text": told["note"]}, by="staff")
    block = {"reason": told["note"]}
    await library.post(f"/v1/patrons/{patron}/block", block, by="staff")
    library.tokens[card] = await library._log_in(card)  # the block ended the session
    await library.flow.settle(within=60)

    digest = card_digest(card, running.settings(AccountsSettings).card_key)
    secrets = {card, digest, phone, *told.values()}
    before = await found(running, secrets)
    assert {secret for _, secret in before} == secrets
    assert {place.rpartition("_")[2] for place, secret in before if secret != digest} == {
        "accounts.cardholders",
        "notices.answers",
        "notices.attachments",
        "contents.chunks",
        "notices.enquiries",
        "messages",
    }
    prefix = f"{running.settings(Settings).database_prefix}_"
    with_digest = {place.removeprefix(prefix) for place, secret in before if secret == digest}
    assert "circulation.patrons" in with_digest
    assert with_digest <= PLACES_OF_DIGESTS, "no topic, no outbox, no log"

    await library.settle(card, branch)
    await library.call("DELETE", f"/v1/patrons/{patron}", by="staff")
    await library.flow.settle(within=60)
    assert await found(running, secrets) == set()
    assert (await library.try_("GET", f"/v1/patrons/{patron}", by="staff"))[0] == 404


async def test_the_secret_of_a_calendar_is_stored_and_logged_nowhere(
    running: System, library: Library
) -> None:
    card = await library.patron(await library.branch())
    path = (await library.post("/v1/me/calendar", {}, by=card))["path"]
    _, _, digest = path.rpartition("/")[2].removesuffix(".ics").partition(".")
    async with aiohttp.ClientSession() as session:
        async with session.get(running.url("gateway") + path) as feed:
            assert feed.status == 200
        await library.call("DELETE", "/v1/me/calendar", by=card)
        async with session.get(running.url("gateway") + path) as gone:
            assert gone.status == 404
    assert await found(running, {digest}) == set()


async def test_the_search_looks_into_databases_topics_and_logs(
    running: System, library: Library
) -> None:
    """An id, which is no secret, is found wherever events, views and logs carry it."""
    branch = await library.branch()
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [loan] = await library.lend(card, [barcode], branch)
    await library.flow.settle(within=60)
    settings = running.settings(Settings)
    places = {place for place, _ in await found(running, {loan["id"]})}
    prefix = settings.database_prefix
    assert places >= {
        f"{prefix}_circulation.loans",
        Names(settings.topic_prefix).on_kafka("loan.checked-out"),
    }
    assert [place for place in places if place.startswith(f"{prefix}_gateway.")]


COPIES = {"outbox", "answers", "audit_trail"}
"""Collections of the chassis: copies of what is in the file, and the acts of staff, with ids."""


async def test_a_patron_downloads_all_that_is_held_about_them(
    running: System, library: Library
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    things = await things_of(library, card, branch)
    note = {"text": "A note of the staff"}
    await library.post(f"/v1/enquiries/{things['enquiry_id']}/notes", note, by="staff")
    await library.flow.settle(within=60)

    file = await library.get("/v1/me/data", by=card)
    services = file["services"]
    [holder] = services["accounts"]["cardholders"]
    assert (holder["card_number"], holder["name"]) == (card, f"Patron {card}")
    assert "pin_hash" not in holder
    of_circulation = services["circulation"]
    assert {one["id"] for one in of_circulation["loans"]} >= {things["loan_id"]}
    for kind, name in {
        "holds": "hold_id",
        "charges": "charge_id",
        "payments": "payment_id",
    }.items():
        assert [one["id"] for one in of_circulation[kind]] == [things[name]]
    [enquiry] = services["notices"]["enquiries"]
    [message] = services["notices"]["enquiry_messages"]
    assert (enquiry["id"], message["text"]) == (things["enquiry_id"], "Where are they?")
    assert note["text"] not in str(file)

    # No service has a collection about the patron that the file leaves out.
    prefix = running.settings(Settings).database_prefix
    named = {place for place, _ in await found(running, {things["patron_id"]})}
    told = {f"{prefix}_{service}.{kind}" for service, kinds in services.items() for kind in kinds}
    views = {place for place in named if place.startswith(f"{prefix}_gateway.")}
    stored = {place for place in named if place.startswith(f"{prefix}_")} - views
    assert {place.rpartition(".")[2] for place in stored - told} == COPIES


async def test_an_erased_patron_has_nothing_to_download(library: Library) -> None:
    card = await library.patron(await library.branch())
    patron = (await library.get("/v1/me/data", by=card))["services"]["accounts"]["patrons"][0]["id"]
    await library.call("DELETE", f"/v1/patrons/{patron}", by="staff")
    status, answer = await library.try_("GET", "/v1/me/data", by=card)
    assert (status, answer["code"]) == (401, "unauthenticated")
