"""A fine statement on the terminal: a strip of days, and a table of spans."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.circulation.rules.fines import Disposition, Span
from shared.contracts.event import dollars

_STYLES = {
    Disposition.SUSPENDED: ("s", "black on cyan", "fines suspended"),
    Disposition.CLOSED: ("x", "black on bright_black", "branch closed"),
    Disposition.GRACE: ("g", "black on green", "in grace"),
    Disposition.CHARGED: ("$", "white on red", "charged"),
    Disposition.CAPPED: ("c", "black on yellow", "over the cap"),
}
_MONTHS_SHOWN = 24


def show_strip(console: Console, spans: tuple[Span, ...]) -> None:
    """Print a row for each month and a block for each day."""
    months: dict[tuple[int, int], Text] = {}
    for first, days, span in _by_month(spans):
        month = (first.year, first.month)
        if month not in months and len(months) == _MONTHS_SHOWN:
            console.print(f"... and on to {spans[-1].to}: see the table.", highlight=False)
            break
        row = months.setdefault(month, Text(" " * (first.day - 1)))
        mark, style, _ = _STYLES[span.disposition]
        row.append(mark * days, style=style)
    console.print(f"{'':9}1{'':8}10{'':8}20{'':8}30", style="dim", highlight=False)
    for (year, number), row in months.items():
        console.print(Text.assemble(f"{year}-{number:02d}  ", row))
    legend = Text()
    for disposition in dict.fromkeys(span.disposition for span in spans):
        mark, style, words = _STYLES[disposition]
        legend.append(f" {mark} ", style=style).append(f" {words}  ")
    console.print(legend)


def _by_month(spans: tuple[Span, ...]) -> Iterator[tuple[date, int, Span]]:
    """Yield the spans, cut at the ends of months: first day, number of days, span."""
    for span in spans:
        day, left = span.from_, span.days
        while left:
            days = min(left, monthrange(day.year, day.month)[1] - day.day + 1)
            yield day, days, span
            left -= days
            if left:
                day = date(day.year + day.month // 12, day.month % 12 + 1, 1)


def show_spans(console: Console, spans: tuple[Span, ...]) -> None:
    """Print each span of a statement with its amount and its causes."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("from", "to"):
        table.add_column(column, no_wrap=True)
    table.add_column("days", justify="right", no_wrap=True)
    table.add_column("disposition", no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("reason")
    for span in spans:
        table.add_row(
            str(span.from_),
            str(span.to),
            str(span.days),
            Text(span.disposition.value, style=_STYLES[span.disposition][1]),
            dollars(span.amount_cents),
            "; ".join(cause.reason for cause in span.causes),
        )
    console.print(table)
    console.print()
