"""Pictures of the peak of a city: latency by rate, and processor by process.

    .venv/bin/python -m benchmarks.city --json … > city.json
    .venv/bin/python -m benchmarks.city_pictures city.json .data/city

Needs requirements-analytics.lock. Each picture is written as SVG and as PNG.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.city import HELD_MS
from shared.mongo import Document


def draw(found: Sequence[Document], folder: Path) -> list[Path]:
    """Write both pictures as SVG and PNG; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in (("latency", _latency(found)), ("processor", _processor(found))):
        for form in ("svg", "png"):
            files.append(folder / f"{name}.{form}")
            with mpl.rc_context({"svg.hashsalt": "carrel", "svg.fonttype": "none"}):
                metadata = {"Date": None} if form == "svg" else None
                figure.savefig(files[-1], dpi=150, metadata=metadata)
    return files


def _latency(found: Sequence[Document]) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    rates = [one["rate"] for one in found]
    for group, line in (("commands", "-"), ("reads", "--")):
        for part, color in (("p50", "tab:blue"), ("p95", "tab:orange"), ("p99", "tab:red")):
            values = [one[f"{group}_ms"][part] or float("nan") for one in found]
            axes.plot(rates, values, line, color=color, marker=".", label=f"{group}, {part}")
    axes.axhline(HELD_MS, color="gray", linewidth=0.8)
    axes.set(yscale="log", xlabel="commands a second", ylabel="ms from the scheduled time")
    axes.legend(fontsize="small")
    return figure


def _processor(found: Sequence[Document]) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    names = [f"{one['rate']:g}" for one in found]
    below = [0.0] * len(found)
    parts = {name: [one["cores"][name] for one in found] for name in found[0]["cores"]}
    parts["callers"] = [one["cores_of_callers"] for one in found]
    for name, cores in parts.items():
        axes.bar(names, cores, bottom=below, label=name)
        below = [before + more for before, more in zip(below, cores, strict=True)]
    axes.set(xlabel="commands a second", ylabel="cores")
    axes.legend(fontsize="small", bbox_to_anchor=(1, 1), loc="upper left")
    return figure


def main() -> None:
    """Draw the figures of a file into a folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("figures", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    draw(json.loads(arguments.figures.read_text()), arguments.folder)


if __name__ == "__main__":
    main()
