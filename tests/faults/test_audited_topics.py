"""The events that an audit expects in the outboxes: those that these still keep."""

from datetime import timedelta

from ops.audit.events import events_on_topics
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.clock import wall_clock
from shared.names import Names
from shared.relay import outbox_producer, send_row

TOPIC = "loan.overdue"


async def test_events_older_than_the_outboxes_are_left_out(kafka: str) -> None:
    settings = Settings(kafka=kafka, partitions=1)
    await ensure_topics(settings, NAMES)
    now = wall_clock()
    producer = outbox_producer(settings, "relay")
    await producer.start()
    try:
        # The clocks of two replicas differ, so events are not in the order of their times.
        for event_id, days in (("a", 9), ("b", 3), ("c", 9), ("d", 0)):
            row = {
                "topic": TOPIC,
                "key": "p",
                "body": b"{}",
                "headers": {"ce_id": event_id},
                "recorded_at": now - timedelta(days=days),
            }
            await (await send_row(producer, row, Names()))
    finally:
        await producer.stop()
    for days, expected, aged in ((30, set("abcd"), False), (7, set("bd"), True), (-1, set(), True)):
        found = await events_on_topics(settings, now - timedelta(days=days))
        assert (set(found.places[TOPIC]), found.aged) == (expected, aged)
        assert {topic for topic, ids in found.places.items() if ids} <= {TOPIC}
