"""The events of a service's outbox, published again."""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Any

from ops.broker.rewind import rewind
from ops.console import errors, progress_bar
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.mongo import Document, connect
from shared.names import Names
from shared.relay import BATCH, outbox_producer, send_row


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
    producer = outbox_producer(settings, f"{service}-replay", idempotent=False)
    try:
        outbox = client[f"{settings.database_prefix}_{service}"].outbox
        total = await outbox.count_documents(wanted)
        if not total:
            return sent
        await ensure_topics(settings, NAMES)
        if reset := await rewind(settings):
            errors.print(f"{reset} positions pointed into a lost log, and were reset.")
        await producer.start()
        with progress_bar(f"Publishing {service} again") as bar:
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
