"""Count overdue loans by library: with a schema of Carrel, and nothing else of it.

    KAFKA=127.0.0.1:9092 .venv/bin/python examples/overdue_by_branch.py

It reads the topic from its beginning to its present end, without a consumer group. An event can
come more than once and in any order, so it keeps the highest version of each loan.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema_rs
from aiokafka import AIOKafkaConsumer

TOPIC = "loan.overdue"
SCHEMA = Path(__file__).parents[1] / "contracts" / "loan.overdue.v1.json"


async def main() -> None:
    """Read the topic and print one line for each library."""
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    newest: dict[str, dict[str, Any]] = {}
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=os.environ["KAFKA"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                for message in messages:
                    loan = json.loads(message.value)
                    if not schema.is_valid(loan):
                        print(f"no {TOPIC} at offset {message.offset}", file=sys.stderr)
                        continue
                    kept = newest.get(loan["loan_id"])
                    if kept is None or loan["version"] > kept["version"]:
                        newest[loan["loan_id"]] = loan
    finally:
        await consumer.stop()
    for branch, loans in sorted(Counter(loan["branch"] for loan in newest.values()).items()):
        print(branch, loans)


if __name__ == "__main__":
    asyncio.run(main())
