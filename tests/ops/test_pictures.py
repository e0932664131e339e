"""Each ready table has a picture, which shows the numbers of the table."""

from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import duckdb
import pytest
from matplotlib.dates import num2date

from ops.analytics import columns
from ops.analytics.checks import declarations
from ops.analytics.folder import Folder
from ops.analytics.pictures import Drawing, drawings, picture_of, rows_of
from ops.analytics.views import VIEWS
from ops.simulation.acts import Simulation
from ops.simulation.city import Plan
from ops.simulation.tables import write_tables
from services.settings import Settings
from shared.contracts import resource_of
from tests import samples
from tests.ops.command import carrel
from tests.published import ask, every_sample

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
SINGLE_CHANGES = {"loan_changes", "charge_changes"}
"""Tables whose numbers are drawn from tables of days."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 60 days of a simulated city, and the kept samples of all events."""
    folder = tmp_path_factory.mktemp("tables")
    write_tables(Simulation(Plan(200, 60, 1, HONG_KONG)), folder, lambda days: None)
    seen = set()
    rows: dict[str, list[Any]] = {}
    for topic, kept in every_sample().items():
        for event_id, (_, event) in kept.items():
            change = (resource_of(topic), event.subject, event.version)
            if change not in seen:
                row = columns.event_row(event, event_id, samples.at(1), HONG_KONG)
                rows.setdefault(topic, []).append(row | {"recorded_at": samples.at(1)})
            seen.add(change)
    with Folder.opened(folder, HONG_KONG.key) as opened:
        opened.add(rows, {})
    return folder


@pytest.fixture(scope="module")
def drawn(tables: Path) -> dict[str, Drawing]:
    return {drawing.table: drawing for drawing in drawings(tables)}


def test_every_ready_table_is_drawn(drawn: dict[str, Drawing]) -> None:
    assert drawn.keys() == declarations().keys() - SINGLE_CHANGES


@pytest.mark.parametrize("table", sorted(declarations().keys() - SINGLE_CHANGES))
def test_a_picture_has_a_title_named_axes_and_the_numbers_of_its_table(
    table: str, tables: Path, drawn: dict[str, Drawing]
) -> None:
    declared = picture_of(table)
    assert declared
    with duckdb.connect(str(tables / VIEWS), read_only=True) as database:
        heads, rows = rows_of(database, table, declared)
    text = text_of(drawn[table])
    for word in (declared.title, declared.unit, heads[0], *(heads[1:] if len(heads) > 2 else ())):
        assert word in text
    shown = numbers_in(drawn[table])
    assert any(number for numbers in shown for number in numbers), "nothing is to be seen"
    assert shown == [[float(row[at] or 0) for row in rows] for at in range(1, len(heads))]


def test_a_line_has_the_day_and_bars_the_names_of_their_numbers(
    tables: Path, drawn: dict[str, Drawing]
) -> None:
    asked = "SELECT business_day, sum(check_outs) FROM lending_by_day GROUP BY ALL ORDER BY ALL"
    [axes] = drawn["lending_by_day"].figure.axes
    line: Any = axes.lines[0]
    days: list[date] = [num2date(at).date() for at in axes.xaxis.convert_units(line.get_xdata())]
    assert list(zip(days, line.get_ydata(), strict=True)) == ask(tables, asked)
    asked = "SELECT title FROM titles GROUP BY title ORDER BY sum(check_outs) DESC, 1 LIMIT 10"
    text = text_of(drawn["titles"])
    for [title] in ask(tables, asked):
        assert title[:27].strip() in text


def test_equal_tables_give_equal_pictures(tables: Path, drawn: dict[str, Drawing]) -> None:
    for again in drawings(tables):
        assert again.svg == drawn[again.table].svg


async def test_the_command_writes_a_file_for_each_table_with_rows(
    tables: Path, drawn: dict[str, Drawing], tmp_path: Path
) -> None:
    given = ("analytics", "pictures", str(tables), "--to", str(tmp_path / "pictures"))
    ran = await carrel(Settings(), *given)
    assert (ran.code, ran.err) == (0, "")
    files = {file.stem: file.read_bytes() for file in (tmp_path / "pictures").iterdir()}
    assert files == {table: drawing.svg for table, drawing in drawn.items()}
    assert len(ran.out.split()) == len(files)
    ran = await carrel(Settings(), "analytics", "pictures", str(tmp_path), "--to", str(tmp_path))
    assert (ran.code, "has no tables. Write them: carrel analytics follow" in ran.err) == (1, True)


def text_of(drawing: Drawing) -> str:
    return "\n".join(ET.fromstring(drawing.svg).itertext())  # noqa: S314 - ours


def numbers_in(drawing: Drawing) -> list[list[float]]:
    """Return the numbers that are drawn, for each colour in order."""
    axes: Any = drawing.figure.axes[0]
    if axes.lines:
        return [[float(at) for at in line.get_ydata()] for line in axes.lines]
    declared = picture_of(drawing.table)
    lying = declared is not None and declared.kind == "bars"
    return [
        [float(bar.get_width() if lying else bar.get_height()) for bar in bars]
        for bars in axes.containers
    ]
