"""The steps of a page of the documentation, to be run as they are written."""

import re
from dataclasses import dataclass
from pathlib import Path

_STEP = re.compile(
    r"^```(?P<language>sh|python)\n(?P<code>.*?)^```$"
    r"(?:\n\n^```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Step:
    """A block of shell commands or of Python, and the output that the page shows after it."""

    language: str
    code: str
    output: str | None
    """None if the page shows no output."""


def steps_of(page: Path) -> list[Step]:
    """Return the steps of a page in order."""
    return [Step(**found.groupdict()) for found in _STEP.finditer(page.read_text())]


def lines(output: str) -> list[str]:
    """Return the lines of an output without the spaces that pad them at their ends."""
    return [line.rstrip() for line in output.strip().splitlines()]
