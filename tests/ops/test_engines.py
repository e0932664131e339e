"""Ready tables and connectors for other engines are made from files and contracts."""

import json

import pytest
from typer.testing import CliRunner

from ops.analytics.views import READY_TABLES, view_of
from ops.commands import analytics
from shared.contracts import published


def printed(*arguments: str) -> str:
    ran = CliRunner().invoke(analytics.app, arguments)
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_spark_gets_every_ready_table_and_flink_those_that_it_can_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARREL_TOPIC_PREFIX", "hk.")
    monkeypatch.setenv("CARREL_TIME_ZONE", "Europe/Berlin")
    every = {file.stem for file in READY_TABLES.glob("*.sql")}
    spark, flink = printed("sql", "spark"), printed("sql", "flink")
    assert {name for name in every if f"VIEW {name} AS" in spark} == every
    assert {name for name in every if f"CREATE VIEW {name} AS" in flink} == every - {
        "closures",
        "copies",
        "fine_suspensions",
        "overdue_by_day",
    }
    for topic in published():
        assert f"'topic' = 'hk.{topic}'" in flink
    assert ("SET TIME ZONE 'Europe/Berlin'" in spark, "'Europe/Berlin'" in flink) == (True, True)


def test_the_connector_writes_each_topic_to_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_TOPIC_PREFIX", "hk.")
    config = json.loads(printed("connector", "--catalog", "type=rest", "--catalog", "uri=a=b"))[
        "config"
    ]
    assert config["topics"].split(",") == [f"hk.{topic}" for topic in published()]
    tables = [f"carrel_messages.{view_of(topic)}" for topic in published()]
    assert config["iceberg.tables"].split(",") == tables
    routes = [config[f"iceberg.table.{table}.route-regex"] for table in tables]
    assert len(set(routes)) == len(tables)
    assert config["iceberg.catalog.uri"] == "a=b"
    refused = CliRunner().invoke(analytics.app, ["connector", "--catalog", "rest"])
    assert refused.exit_code == 2
