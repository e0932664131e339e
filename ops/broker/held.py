"""The messages that hold their partitions now, of all services."""

from aiokafka import TopicPartition

from ops.broker.offsets import Positions
from services.registry import NAMES
from services.settings import Settings
from shared.bus.held import HeldMessage, held_messages
from shared.mongo import connect


async def find_held(settings: Settings) -> list[tuple[str, HeldMessage]]:
    """Return each message that holds its partition, with its service, the longest first.

    A process that died may have left one that another has processed since: its position says so.
    """
    client = connect(settings.mongo_url)
    found: list[tuple[str, HeldMessage]] = []
    try:
        async with Positions(settings) as positions:
            for service in NAMES:
                database = client[f"{settings.database_prefix}_{service}"]
                if not (waiting := await held_messages(database)):
                    continue
                read = await positions.committed(service)
                found += [
                    (service, message)
                    for message in waiting
                    if read.get(TopicPartition(message.topic, message.partition), 0)
                    <= message.offset
                ]
    finally:
        client.close()
    return sorted(found, key=lambda item: -item[1].seconds)
