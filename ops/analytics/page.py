"""A report as one HTML page with its pictures, which refers to no other file; and its pictures."""

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ops.analytics.numbers import MONEY, Numbers
from shared.contracts.event import dollars

TEMPLATE = "report.html"
DOTS_PER_INCH = 150


@dataclass(frozen=True)
class Picture:
    """A picture of the report, and a text that says what it shows."""

    name: str
    caption: str
    figure: Figure
    text: str

    @property
    def source(self) -> str:
        """The picture as an address that contains it."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.bytes('svg')).decode()}"

    def bytes(self, form: str) -> bytes:
        """Return the picture as a file of a form that matplotlib writes, such as `svg` or `png`."""
        return file_of(self.figure, form)


def file_of(figure: Figure, form: str) -> bytes:
    """Return a figure as a file of a form that matplotlib writes, without the time."""
    file = io.BytesIO()
    when = {"Date": None} if form == "svg" else None
    with (
        mpl.rc_context({"svg.hashsalt": "carrel", "svg.fonttype": "none"}),
        # Chinese glyphs, which a browser has.
        warnings.catch_warnings(action="ignore", category=UserWarning),
    ):
        figure.savefig(file, format=form, dpi=DOTS_PER_INCH, metadata=when)
    return file.getvalue()


def page_of(numbers: Numbers) -> str:
    """Return the page. Equal numbers give equal pages."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        first=numbers.first,
        last=numbers.last,
        pictures=pictures_of(numbers),
        tables=numbers.tables,
    )


def pictures_of(numbers: Numbers) -> list[Picture]:
    """Return the pictures. Equal numbers give equal files."""
    return [_lending(numbers), _overdue(numbers), _charges(numbers), _waits(numbers)]


def _lending(numbers: Numbers) -> Picture:
    figure, axes = _drawing("loans")
    days = [row[0] for row in numbers.lending]
    for column, name in enumerate(("check-outs", "renewals", "returns"), 1):
        axes.step(days, [row[column] for row in numbers.lending], where="mid", label=name)
    _shade_closures(axes, numbers)
    axes.legend(frameon=False)
    sums = [sum(row[column] for row in numbers.lending) for column in (1, 2, 3)]
    most = max(row[1] for row in numbers.closed)
    return Picture(
        "lending",
        "Lending by day. The more libraries are closed, the darker is the day",
        figure,
        f"{sums[0]} check-outs, {sums[1]} renewals, {sums[2]} returns. "
        f"At most {most} libraries were closed on one day.",
    )


def _overdue(numbers: Numbers) -> Picture:
    figure, axes = _drawing("overdue loans")
    shares = [(row[0], row[2] / row[1] if row[1] else 0.0) for row in numbers.overdue]
    axes.fill_between([row[0] for row in shares], [row[1] for row in shares], step="mid")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    most = max(share for _, share in shares)
    axes.set_ylim(0, min(1, max(0.1, most * 1.1)))
    _shade_closures(axes, numbers)
    last = shares[-1][1]
    return Picture(
        "overdue",
        "Share of open loans that were overdue, by day",
        figure,
        f"{last:.0%} on the last day, {most:.0%} at most.",
    )


def _charges(numbers: Numbers) -> Picture:
    figure, axes = _drawing("dollars")
    sums = [sum(row[column] for row in numbers.charges) for column in range(1, len(MONEY) + 1)]
    bars = axes.bar(MONEY, [cents / 100 for cents in sums])
    axes.bar_label(bars, [dollars(cents) for cents in sums])
    axes.margins(y=0.15)
    words = ", ".join(f"{name} {dollars(cents)}" for name, cents in zip(MONEY, sums, strict=True))
    return Picture("charges", "Charges and their changes", figure, f"In all: {words}.")


def _waits(numbers: Numbers) -> Picture:
    figure, axes = _drawing("reservations")
    waits = sorted(numbers.waits)
    if waits:
        axes.hist(waits, bins=[day - 0.5 for day in range(waits[-1] + 2)])
    axes.set_xlabel("days")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    text = "No reserved item became ready."
    if waits:
        text = f"{len(waits)} reserved items became ready, after {waits[-1]} days at most."
    return Picture("waits", "Days until a reserved item was ready", figure, text)


def _drawing(unit: str) -> tuple[Figure, Any]:
    """Return a figure and its axes, with counts of `unit` upwards."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots()
    axes.set_ylabel(unit)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _shade_closures(axes: Any, numbers: Numbers) -> None:
    """Shade each day by the share of the most branches that were closed on one day."""
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    closed = [row[1] for row in numbers.closed]
    most = max(closed) or 1
    begins = 0
    for at in range(1, len(closed) + 1):  # one rectangle for neighbouring days with the same number
        if at == len(closed) or closed[at] != closed[begins]:
            if closed[begins]:
                axes.axvspan(  # days are drawn around their dates
                    date2num(numbers.closed[begins][0]) - 0.5,
                    date2num(numbers.closed[at - 1][0]) + 0.5,
                    color="gray",
                    alpha=0.4 * closed[begins] / most,
                    linewidth=0,
                )
            begins = at
