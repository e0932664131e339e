"""Prints the figures of a benchmark, for people or for scripts."""

import json
import sys
from collections.abc import Mapping

from shared.mongo import Document


def show(found: Mapping[str, Document], *, as_json: bool) -> None:
    """Print the figures of each measured thing: a line for each, or all as one JSON document."""
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    width = max(map(len, found))
    for name, figures in found.items():
        texts = [f"{key.replace('_', ' ')} {value}" for key, value in figures.items()]
        sys.stdout.write(f"{name:<{width}}  {', '.join(texts)}\n")
