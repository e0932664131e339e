"""`carrel outbox`: the events that wait to be published, and the published ones still kept."""

import asyncio
from typing import Any

import typer

from ops.console import (
    AsJson,
    ServiceOption,
    explain_outages,
    out,
    print_json,
    print_table,
    show_status,
)
from ops.databases import databases_of
from ops.target import Data, settings_of
from services.registry import NAMES
from services.settings import Settings
from shared.mongo import Database, Document
from shared.relay import outbox_age

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def outbox_command(
    service: ServiceOption = None, as_json: AsJson = False, data: Data = None
) -> None:
    """Show each service's events that wait to be published, and the published ones still kept.

    If events wait for more than a few seconds, the broker is away, or no process
    of the service has the role `relay`. They are published when that is corrected.
    """
    settings = settings_of(data)
    with explain_outages(settings), show_status("Reading the outboxes"):
        found = asyncio.run(_look(settings, [service] if service else list(NAMES)))
    if as_json:
        print_json({"outboxes": found})
        return
    columns = ("service", "waiting", "oldest waits, s", "kept", "kept since")
    print_table(
        columns,
        [
            (one["service"], one["pending"], one["oldest_seconds"], one["kept"], _day(one))
            for one in found
        ],
    )
    rows = [(t["topic"], t["pending"], t["kept"]) for one in found for t in one["topics"]]
    if rows:
        out.print()
        print_table(("topic", "waiting", "kept"), rows)


def _day(outbox: dict[str, Any]) -> str:
    since = outbox["kept_since"]
    return since.strftime("%Y-%m-%d %H:%MZ") if since else "-"


async def _look(settings: Settings, services: list[str]) -> list[dict[str, Any]]:
    with databases_of(settings) as databases:
        return [await _outbox(service, databases[service]) for service in services]


async def _outbox(service: str, database: Database) -> dict[str, Any]:
    pending = {"$cond": [{"$eq": ["$pending", True]}, 1, 0]}
    pipeline: list[Document] = [
        {
            "$group": {
                "_id": "$topic",
                "all": {"$sum": 1},
                "pending": {"$sum": pending},
                "since": {"$min": "$recorded_at"},
            }
        },
        {"$sort": {"_id": 1}},
    ]
    rows = await database.outbox.aggregate(pipeline).to_list(None)
    return {
        "service": service,
        "pending": sum(row["pending"] for row in rows),
        "oldest_seconds": round(await outbox_age(database), 3),
        "kept": sum(row["all"] - row["pending"] for row in rows),
        "kept_since": min((row["since"] for row in rows), default=None),
        "topics": [
            {"topic": row["_id"], "pending": row["pending"], "kept": row["all"] - row["pending"]}
            for row in rows
        ],
    }
