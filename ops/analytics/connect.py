"""The settings of Apache Iceberg's sink for Kafka Connect, made from the contracts."""

import re
from collections.abc import Mapping

from ops.analytics.views import view_of
from shared.contracts import published
from shared.names import Names

NAMESPACE = "carrel_messages"
"""Its tables are not those of `follow`: they have each message, without its headers."""
_FIELD = "topic"


def connector(names: Names, catalog: Mapping[str, str]) -> dict[str, object]:
    """Return a connector that writes each topic to a table of its own, made if missing."""
    tables = {topic: f"{NAMESPACE}.{view_of(topic)}" for topic in published()}
    settings = {
        "connector.class": "org.apache.iceberg.connect.IcebergSinkConnector",
        "tasks.max": "2",
        "topics": ",".join(map(names.on_kafka, tables)),
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        # The topic says which table, and the position tells messages apart.
        "transforms": "position",
        "transforms.position.type": "org.apache.kafka.connect.transforms.InsertField$Value",
        "transforms.position.topic.field": _FIELD,
        "transforms.position.partition.field": "kafka_partition",
        "transforms.position.offset.field": "kafka_offset",
        "transforms.position.timestamp.field": "recorded_at",
        "iceberg.tables": ",".join(tables.values()),
        "iceberg.tables.route-field": _FIELD,
        "iceberg.tables.auto-create-enabled": "true",
        "iceberg.tables.evolve-schema-enabled": "true",
        "iceberg.control.commit.interval-ms": "60000",
    }
    for topic, table in tables.items():
        pattern = f"^{re.escape(names.on_kafka(topic))}$"
        settings[f"iceberg.table.{table}.route-regex"] = pattern
    settings |= {f"iceberg.catalog.{name}": value for name, value in catalog.items()}
    return {"name": "carrel-iceberg", "config": settings}
