"""Messages at fault under load become dead letters, and other messages are processed.

Every kind is sent to a topic that most services hear, during a day at the library.
"""

from collections.abc import Collection

from aiokafka import ConsumerRecord

from ops.audit.findings import Audit
from ops.broker.offsets import Positions, subscribed_topics
from ops.infrastructure.processes import System
from services.settings import Settings
from shared.bus.topics import dead_letter_topic
from tests.faults.load import Load
from tests.faults.report import record
from tests.faults.waits import Waits
from tests.library import Library
from tests.ops.command import carrel
from tests.poison import POISONS, TOPIC, allow_any_message, as_it_came, send_all
from tests.secured import administrators
from tests.support import until

SUBSCRIBERS = [service for service, topics in subscribed_topics().items() if TOPIC in topics]


async def test_messages_at_fault_become_dead_letters_and_other_messages_are_processed(
    running: System, library: Library
) -> None:
    settings = running.settings(Settings)
    await allow_any_message(administrators(running))
    async with Waits(running) as waits, Load(library) as load:
        sent = await send_all(settings)
        await all_are_dead_letters(settings, len(sent))
    found = without_the_poison(await load.audited(), sent)
    by_service = {service: await dead_letters_of(settings, service) for service in SUBSCRIBERS}
    longest = max(waits.longest.values())
    print(f"poison: others waited {longest:.1f} s at most")  # noqa: T201
    record(
        f"{len(POISONS)} kinds of messages at fault, into each service",
        running,
        invariant="each becomes a dead letter with its bytes and headers; the others are processed",
        found=found,
        counts={"messages": len(sent) * len(by_service)},
        recovery=longest,
    )
    for service, dead_letters in by_service.items():
        for place, poison in sent.items():
            assert as_it_came(dead_letters[place], poison), (service, poison.name)
    listed = await carrel(settings, "dead-letters", "list", "--json")
    assert len(listed.json()["dead_letters"]) == len(sent) * len(by_service)
    refused = await carrel(settings, "dead-letters", "retry", "--all", "--yes")
    assert refused.code == 1
    assert "was too large to be kept" in refused.err
    load.check_answers()
    assert found.findings == []


def without_the_poison(found: Audit, sent: Collection[tuple[int, int]]) -> Audit:
    """Return the audit without its correct findings about these messages: no outbox has them."""
    places = [f"{TOPIC}/{partition}/{offset} " for partition, offset in sent]
    ours = [one for one in found.findings if one.startswith(tuple(places))]
    found.findings = [one for one in found.findings if one not in ours]
    found.lost -= sum("is in no outbox" in one for one in ours)
    return found


async def all_are_dead_letters(settings: Settings, count: int) -> None:
    """Wait until each service has `count` dead letters."""
    async with Positions(settings) as positions:

        async def arrived() -> bool:
            ends = await positions.ends()
            topics = {dead_letter_topic(service) for service in SUBSCRIBERS}
            return sum(ends[p] for p in ends if p.topic in topics) >= count * len(topics)

        await until(arrived, within=60, every=0.1)


async def dead_letters_of(
    settings: Settings, service: str
) -> dict[tuple[int, int], ConsumerRecord[bytes, bytes]]:
    """Return the dead letters of a service by their original partition and offset."""
    found = {}
    async with Positions(settings) as positions:
        async for dead_letter in positions.records(dead_letter_topic(service)):
            headers = dict(dead_letter.headers)
            assert headers["carrel-topic"] == TOPIC.encode()
            place = int(headers["carrel-partition"]), int(headers["carrel-offset"])
            assert place not in found, f"dead letter twice: {place}"
            found[place] = dead_letter
    return found
