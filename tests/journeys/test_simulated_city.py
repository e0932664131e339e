"""A simulated city through the API: each answer and each ready table is what the rules say."""

import asyncio
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from ops.analytics.views import VIEWS
from ops.infrastructure.processes import System
from ops.scenario.demo import write_tables as write_tables_of_system
from ops.simulation.acts import Simulation
from ops.simulation.city import Plan
from ops.simulation.play import play
from ops.simulation.tables import write_tables
from tests.conftest import BROKER
from tests.ops.command import run
from tests.systems import started_system

pytestmark = pytest.mark.embedded  # test_both_brokers.py plays a scenario on Apache Kafka

PLAN = Plan(patrons=30, days=60, seed=2, zone=ZoneInfo("Asia/Hong_Kong"))
WITHOUT_IDS = {
    "lending_by_day": "*",
    "overdue_by_day": "*",
    "charges_by_day": "*",
    "loans": "* EXCLUDE (loan_id, title_id, copy_id)",
    "loan_changes": "topic, business_day, barcode, version, due_on, renewals, renewals_left, state",
    "charges": "* EXCLUDE (charge_id, loan_id, hold_id)",
    "holds": "* EXCLUDE (hold_id, title_id)",
    "titles": "* EXCLUDE (title_id)",
    "copies": "* EXCLUDE (copy_id, title_id)",
    "closures": "* EXCLUDE (closure_id)",
    "fine_suspensions": "* EXCLUDE (suspension_id)",
    "activities": "* EXCLUDE (activity_id)",
}
"""Columns of the ready tables without ids, which the services make anew."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of this file's own: the city has its own branches, and is compared as a whole."""
    with started_system(tmp_path_factory, broker=BROKER) as started:
        yield started


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path / VIEWS), read_only=True) as database:
        return database.execute(query).fetchall()


def ignore(_: date) -> None:
    """Take no notice of a new day."""


def test_the_services_answer_as_the_simulation_and_give_the_same_ready_tables(
    running: System, tmp_path: Path
) -> None:
    played = asyncio.run(play(running, Simulation(PLAN), ignore))
    assert played.differences == []
    assert played.calls > 200
    write_tables_of_system(running, tmp_path / "played")
    write_tables(Simulation(PLAN), tmp_path / "simulated", ignore)
    for table, columns in WITHOUT_IDS.items():
        query = f"SELECT {columns} FROM {table} ORDER BY ALL"  # noqa: S608
        rows = ask(tmp_path / "simulated", query)
        assert ask(tmp_path / "played", query) == rows, table
        assert rows, table


def test_the_command_plays_a_city_on_a_system_of_its_own() -> None:
    environment = {name: value for name, value in os.environ.items() if "CARREL" not in name}
    size = ("--patrons", "10", "--days", "3", "--seed", "1")
    ran = run(("simulate", *size, "--api", "--json"), environment)
    assert ran.code == 0, ran.err
    assert ran.err.endswith(" calls, 0 with another answer.\n")
    assert ran.json()["events"]["patron.registered"] == 10
    ran = run(("simulate", "--patrons", "5000", "--days", "3", "--api"), environment)
    assert (ran.code, "Use --tables or --topics for more." in ran.err) == (1, True)
