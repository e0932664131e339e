"""The ready tables in the SQL of other engines, and the settings of a sink.

sqlglot translates the SQL.

The translation spells out what only DuckDB has: unions by name, and the days between two dates.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pyarrow as pa
from sqlglot import ErrorLevel, exp, parse_one, union
from sqlglot.dialects.spark import Spark
from sqlglot.generators.spark import SparkGenerator
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify

from ops.analytics.columns import MESSAGE, columns_of
from ops.analytics.views import READY_TABLES, view_of
from shared.contracts import published
from shared.names import Names


class FlinkGenerator(SparkGenerator):
    """Writes Flink's words, where they differ from Spark's."""

    TYPE_MAPPING: ClassVar = {
        **SparkGenerator.TYPE_MAPPING,
        exp.DataType.Type.TIMESTAMPTZ: "TIMESTAMP_LTZ(3)",
    }
    TRANSFORMS: ClassVar = {
        **SparkGenerator.TRANSFORMS,
        exp.ArraySize: lambda self, size: self.func("CARDINALITY", size.this),
        exp.DateDiff: lambda self, days: self.func(
            "TIMESTAMPDIFF", exp.var("DAY"), days.expression, days.this
        ),
    }


class Flink(Spark):
    """The SQL of Flink, as far as the ready tables need it."""

    TYPED_DIVISION = True
    Generator = FlinkGenerator


Types = dict[str, object]
"""The types of the columns of each table by name, in DuckDB's words."""


def spark_sql(time_zone: str) -> Iterator[str]:
    """Yield the statements that make the ready tables in Spark, beside the tables of topics."""
    yield f"SET TIME ZONE '{time_zone}'"
    # In Spark 4.1 this rule makes the plan of `closures` invalid, and Spark says so.
    rules = "org.apache.spark.sql.catalyst.optimizer"
    yield f"SET spark.sql.optimizer.excludedRules = {rules}.RemoveRedundantAliases"
    for name, query in ready_tables():
        yield f"CREATE OR REPLACE TEMPORARY VIEW {name} AS\n{_said(query, Spark)}"


def flink_sql(time_zone: str, kafka: str, names: Names) -> Iterator[str]:
    """Yield the statements that make the tables of topics and ready tables in Flink, from Kafka.

    They end at the present ends of the topics. Tables that need functions which Flink lacks are
    left out.
    """
    yield "SET 'execution.runtime-mode' = 'batch'"
    yield f"SET 'table.local-time-zone' = '{time_zone}'"
    for topic in published():
        yield _flink_messages(topic, kafka, names)
        yield _flink_view(topic)
    for name, query in ready_tables():
        if not query.find(exp.Explode):
            yield f"CREATE VIEW {name} AS\n{_said(query, Flink)}"


def ready_tables() -> Iterator[tuple[str, exp.Query]]:
    """Yield the name and the query of each ready table, after those that it reads."""
    types: Types = {
        view_of(topic): {field.name: _duckdb(field.type) for field in columns_of(topic)}
        for topic in published()
    }
    for file in sorted(READY_TABLES.glob("*.sql")):
        query = _query(file.read_text(), types)
        types[file.stem] = _columns(query)
        yield file.stem, query


def _said(query: exp.Query, dialect: type[Spark]) -> str:
    return query.sql(dialect, pretty=True, comments=False, unsupported_level=ErrorLevel.RAISE)


def _query(text: str, types: Types) -> exp.Query:
    """Return a query with all columns named and typed, that has nothing of DuckDB's own."""
    query = parse_one(text, dialect="duckdb")
    for part in list(query.find_all(exp.Union)):
        if part.args.get("by_name") and not isinstance(part.parent, exp.Union):
            part.replace(_by_position(part, types))
    for call in list(query.find_all(exp.Anonymous)):
        if call.name.lower() == "library_day":  # sessions have the library's time zone
            call.replace(exp.cast(call.expressions[0], "date"))
        if call.name.lower() == "library_hour":
            call.replace(exp.Hour(this=exp.cast(call.expressions[0], "timestamp")))
    for count in list(query.find_all(exp.Filter)):  # Spark has none in windows
        wanted = exp.case().when(count.expression.this, exp.Literal.number(1))
        count.replace(exp.Count(this=wanted))
    query = pushdown_projections(qualify(query, schema=types, dialect="duckdb"))
    _spell_out_groups(query)
    portable = annotate_types(query, schema=types, dialect="duckdb").transform(_portable)
    if not isinstance(portable, exp.Query):
        raise TypeError(f"no query: {text}")
    return portable


def _portable(node: Any) -> Any:
    """Replace what engines say in other ways, and know only by its type."""
    match node:
        case exp.Sub() if all(side.is_type("date") for side in (node.left, node.right)):
            days = exp.DateDiff(this=node.left, expression=node.right, unit=exp.var("DAY"))
            days.type = exp.DataType.build("bigint")
            return days
        case exp.Length() if node.this.is_type("array", "list"):
            size = exp.ArraySize(this=node.this)
            size.type = exp.DataType.build("bigint")
            return size
        case exp.Bracket() if isinstance(last := node.expressions[0], exp.Neg):
            # sqlglot counts from 0: the last is -2 there.
            at = exp.Literal.number(1 - int(last.this.name))
            element = exp.func("ELEMENT_AT", node.this, at)
            element.type = node.type
            return element
        case _:
            return node


def _spell_out_groups(query: Any) -> None:
    """Name what `GROUP BY ALL` groups by."""
    for part in query.find_all(exp.Select):
        group = part.args.get("group")
        if group and group.args.get("all"):
            by = [column.unalias() for column in part.selects if not column.find(exp.AggFunc)]
            part.set("group", exp.Group(expressions=[column.copy() for column in by]))


def _by_position(part: exp.Union, types: Types) -> exp.Expression:
    """Return a union by name as one by position, with null for columns that a side lacks."""
    sides = [
        annotate_types(
            qualify(side.copy(), schema=types, dialect="duckdb"), schema=types, dialect="duckdb"
        )
        for side in _sides(part)
    ]
    every = {name: kind for side in sides for name, kind in _columns(side).items()}
    spelled = []
    for side in sides:
        own = {column.alias_or_name: column for column in side.selects}
        side.set(
            "expressions",
            [
                own.get(name) or exp.alias_(exp.cast(exp.null(), kind, dialect="duckdb"), name)
                for name, kind in every.items()
            ],
        )
        spelled.append(side)
    return union(*spelled, distinct=False, copy=False)


def _sides(part: Any) -> Iterator[exp.Select]:
    if isinstance(part, exp.Union):
        yield from _sides(part.left)
        yield from _sides(part.right)
    elif isinstance(part, exp.Select):
        yield part


def _columns(query: exp.Query) -> dict[str, str]:
    return {
        column.alias_or_name: column.type.sql("duckdb") for column in query.selects if column.type
    }


def _flink_messages(topic: str, kafka: str, names: Names) -> str:
    """Return the table of the messages of a topic, as often as they are there."""
    own = [
        f"`{field.name}` {_flink(field.type)}"
        for field in columns_of(topic)
        if field.name not in MESSAGE
    ]
    columns = ",\n  ".join(
        [
            *own,
            "`message_headers` MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL",
            "`recorded_at` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL",
            "`kafka_partition` INT METADATA FROM 'partition' VIRTUAL",
            "`kafka_offset` BIGINT METADATA FROM 'offset' VIRTUAL",
        ]
    )
    options = {
        "connector": "kafka",
        "topic": names.on_kafka(topic),
        "properties.bootstrap.servers": kafka,
        "scan.startup.mode": "earliest-offset",
        "scan.bounded.mode": "latest-offset",
        "format": "json",
        "json.timestamp-format.standard": "ISO-8601",
        "json.ignore-parse-errors": "true",
    }
    told = ",\n  ".join(f"'{name}' = '{value}'" for name, value in options.items())
    return f"CREATE TABLE {view_of(topic)}_messages (\n  {columns}\n) WITH (\n  {told}\n)"


def _flink_view(topic: str) -> str:
    """Return the view of the events of a topic, each once."""
    header = "CAST(message_headers['{}'] AS STRING)"
    time = f"TO_TIMESTAMP_LTZ(SUBSTRING({header.format('ce_time')}, 1, 19), '{_FLINK_TIME}')"
    values = {
        "event_id": header.format("ce_id"),
        "event_time": time,
        "business_day": f"CAST({time} AS DATE)",
        "correlation_id": header.format("ce_correlationid"),
        "causation_id": header.format("ce_causationid"),
    }
    columns = ", ".join(
        f"{values[name]} AS {name}" if name in values else f"`{name}`"
        for name in columns_of(topic).names
    )
    return (
        f"CREATE VIEW {view_of(topic)} AS\nSELECT {columns}\nFROM (\n"  # noqa: S608
        f"  SELECT *, ROW_NUMBER() OVER (PARTITION BY {values['event_id']} "
        f"ORDER BY kafka_offset) AS copy_number\n  FROM {view_of(topic)}_messages\n"
        ") WHERE copy_number = 1"
    )


def _flink(kind: Any) -> str:
    """Return an Arrow type in Flink's words."""
    if pa.types.is_list(kind):
        return f"ARRAY<{_flink(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"MAP<{_flink(kind.key_type)}, {_flink(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return f"ROW<{', '.join(f'`{field.name}` {_flink(field.type)}' for field in kind)}>"
    return {"VARCHAR": "STRING", "TIMESTAMPTZ": "TIMESTAMP_LTZ(3)"}.get(
        plain := _PLAIN[str(kind)], plain
    )


_FLINK_TIME = "yyyy-MM-dd''T''HH:mm:ss"


def _duckdb(kind: Any) -> str:
    """Return an Arrow type in DuckDB's words."""
    if pa.types.is_list(kind):
        return f"{_duckdb(kind.value_type)}[]"
    if pa.types.is_map(kind):
        return f"MAP({_duckdb(kind.key_type)}, {_duckdb(kind.item_type)})"
    if pa.types.is_struct(kind):
        parts = [f'"{field.name}" {_duckdb(field.type)}' for field in kind]
        return f"STRUCT({', '.join(parts)})"
    return _PLAIN[str(kind)]


_PLAIN = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "date32[day]": "DATE",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
}

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
