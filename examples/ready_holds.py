"""Print a line for each reserved copy that comes to a hold shelf, as a FastStream application.

    KAFKA=127.0.0.1:9092 .venv/bin/python examples/ready_holds.py

It continues where its consumer group stopped, until Ctrl-C. Kafka may deliver a message again after
a crash: the id of the event, `ce_id`, is the same then.
"""

import asyncio
import os
from datetime import date

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from pydantic import BaseModel

broker = KafkaBroker(os.environ["KAFKA"], logger=None)  # its log would be among the results
app = FastStream(broker)
seen: set[str] = set()


class ReadyHold(BaseModel):
    """The fields that this example needs; it ignores the others, also those to come."""

    hold_id: str
    pickup_branch: str
    shelf_until: date | None


@broker.subscriber("hold.ready", group_id="example-ready-holds", auto_offset_reset="earliest")
async def print_hold(hold: ReadyHold, message: KafkaMessage) -> None:
    """Print a hold, once for each event."""
    event_id = message.headers["ce_id"]
    if event_id not in seen:
        seen.add(event_id)
        print(hold.pickup_branch, hold.hold_id, hold.shelf_until or "until reopening", flush=True)


if __name__ == "__main__":
    asyncio.run(app.run())
