"""A picture of each ready table, as the line `-- Picture:` in the table's file declares it.

The line has a title, a kind of picture, the unit of the numbers, and a selection: what is drawn
along the axis, and one to six numbers of it. An alias is the name of an axis or of a colour.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ops.analytics.page import file_of
from ops.analytics.views import READY_TABLES, VIEWS

_HEAD = re.compile(r"^-- Picture: (.+) \((line|columns|bars) of (.+)\): (.+)$", re.MULTILINE)
_INCHES = (6.67, 3.6)
"""640 pixels wide, as browsers show it."""
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
"""Colours of Okabe and Ito, which people with any colour vision tell apart."""
_MOST_BARS = 10


@dataclass(frozen=True)
class Declaration:
    """The picture that a ready table's file declares."""

    title: str
    kind: str
    """`line` of days, `columns` of numbers in order, or `bars` of names, the ten longest."""
    unit: str
    selection: str


@dataclass(frozen=True)
class Drawing:
    """The picture of a table."""

    table: str
    figure: Figure
    svg: bytes
    """The picture as a file. Equal rows give equal files."""


def picture_of(table: str) -> Declaration | None:
    """Return what is declared about a table's picture; None: another table's picture has it."""
    found = _HEAD.search((READY_TABLES / f"{table}.sql").read_text())
    return Declaration(*found.groups()) if found else None


def drawings(folder: Path) -> Iterator[Drawing]:
    """Yield the picture of each ready table of a folder that has something to draw."""
    with duckdb.connect(str(folder / VIEWS), read_only=True) as database:
        for table in sorted(file.stem for file in READY_TABLES.glob("*.sql")):
            if declared := picture_of(table):
                heads, rows = rows_of(database, table, declared)
                if rows:
                    figure = _drawn(declared, heads, rows)
                    yield Drawing(table, figure, file_of(figure, "svg"))


def rows_of(
    database: duckdb.DuckDBPyConnection, table: str, declared: Declaration
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names and the rows of a picture, in the order in which they are drawn."""
    order = f"2 DESC, 1 LIMIT {_MOST_BARS}" if declared.kind == "bars" else "1"
    selected = f"SELECT {declared.selection} FROM {table} GROUP BY ALL ORDER BY {order}"  # noqa: S608
    found = database.execute(selected)
    heads = [column[0] for column in found.description or ()]
    return heads, [row for row in found.fetchall() if row[0] is not None]


def _drawn(declared: Declaration, heads: list[str], rows: list[tuple[Any, ...]]) -> Figure:
    figure = Figure(figsize=_INCHES, layout="constrained")
    axes: Any = figure.subplots()
    axes.set_prop_cycle(color=_COLOURS)
    axes.set_title(declared.title, loc="left", fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    _DRAWERS[declared.kind](axes, heads[1:], rows)
    names, numbers = axes.xaxis, axes.yaxis
    if declared.kind == "bars":
        names, numbers = numbers, names
    names.set_label_text(heads[0])
    numbers.set_label_text(declared.unit)
    numbers.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    if len(heads) > 2:
        figure.legend(loc="outside lower right", ncols=3, frameon=False)
    return figure


def _line(axes: Any, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    days = [row[0] for row in rows]
    for column, name in enumerate(names, 1):
        axes.plot(days, [float(row[column] or 0) for row in rows], marker=".", label=name)
    axes.set_ylim(bottom=0)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _columns(axes: Any, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    width = 0.8 / len(names)
    for column, name in enumerate(names, 1):
        places = [row[0] - 0.4 + (column - 0.5) * width for row in rows]
        axes.bar(places, [float(row[column] or 0) for row in rows], width, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _bars(axes: Any, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    height = 0.8 / len(names)
    for column, name in enumerate(names, 1):
        places = [at - 0.4 + (column - 0.5) * height for at in range(len(rows))]
        bars = axes.barh(places, [float(row[column] or 0) for row in rows], height, label=name)
        axes.bar_label(bars, [_written(row[column] or 0) for row in rows], padding=2)
    axes.set_yticks(range(len(rows)), [_short(str(row[0])) for row in rows])
    axes.invert_yaxis()
    axes.margins(x=0.1)


def _written(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"


_DRAWERS = {"line": _line, "columns": _columns, "bars": _bars}
