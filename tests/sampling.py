"""The sample of its random tests that a run plays. `make test-full` plays all of them.

Each random case is always the same one; the seed only chooses which are played. It changes with
the commit, so that in time the gate plays all, and stands in the first lines of a run:
`TEST_SEED=3fa9c1d2 make test` plays the sample again.
"""

import os
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

SEED = "TEST_SEED"
"""Environment variable with the seed; `all` plays every case."""


def choose_seed() -> None:
    """Set the seed of this run and of the processes that it starts, unless it is set."""
    asked = ["git", "rev-parse", "--short=8", "HEAD"]
    try:
        done = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, check=False)
        commit = done.stdout.decode().strip()
    except FileNotFoundError:  # a checkout without Git
        commit = ""
    os.environ.setdefault(SEED, commit or "none")


def sample(cases: Iterable[T], most: int) -> list[T]:
    """Return at most `most` of the cases, chosen by the seed, in their order; or all of them."""
    found = list(cases)
    seed = os.environ.get(SEED, "none")
    if seed == "all" or len(found) <= most:
        return found
    chosen = random.Random(seed).sample(range(len(found)), most)  # noqa: S311 - repeatable
    return [found[place] for place in sorted(chosen)]
