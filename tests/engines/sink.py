"""Apache Iceberg's sink in a Kafka Connect of one process, as a site would configure it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pyiceberg.catalog.sql import SqlCatalog

from ops.analytics.destination import DATABASE
from tests.engines.jars import jars

WORKER = """\
bootstrap.servers={kafka}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
listeners=http://127.0.0.1:{port}
offset.storage.file.filename={folder}/offsets
"""


async def make_control_topic(kafka: str) -> None:
    """Make the sink's own topic, which has to exist."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("control-iceberg", 1, 1)])
    finally:
        await admin.close()


def catalog_properties(lake: Path) -> dict[str, str]:
    """Return the properties of a catalogue in a folder, as the sink knows them."""
    return {"type": "jdbc", "uri": f"jdbc:sqlite:{lake / DATABASE}", "warehouse": str(lake)}


def command(folder: Path, kafka: str, port: int, connector: Mapping[str, Any]) -> list[str]:
    """Write the settings into a folder, and return the command that runs the sink there.

    `connector` is what `carrel analytics connector` prints. The sink commits each second.
    """
    config = {
        **connector["config"],
        "iceberg.control.commit.interval-ms": "1000",
        "iceberg.control.commit.threads": "1",  # SQLite has one writer
    }
    (folder / "connector.json").write_text(json.dumps({**connector, "config": config}))
    worker = WORKER.format(kafka=kafka, port=port, folder=folder)
    (folder / "worker.properties").write_text(worker)
    return [
        *("java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-cp", f"{jars('connect')}/*"),
        *("org.apache.kafka.connect.cli.ConnectStandalone", "worker.properties", "connector.json"),
    ]


def catalog(lake: Path) -> SqlCatalog:
    """Return the catalogue that the sink writes to."""
    return SqlCatalog("iceberg", uri=f"sqlite:///{lake / DATABASE}", warehouse=str(lake))
