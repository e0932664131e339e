"""The choice of tests that `make quick` runs: `python -m tests.quick [--since REF] [--seconds N]`.

Plays the tests of the changed files, nearest first, until they are expected to take N seconds.
"""

import argparse
import itertools
import re
import subprocess
import sys
from collections import deque
from collections.abc import Collection, Iterable
from pathlib import Path

import grimp
import pytest

PRODUCT = ("services", "shared", "ops")
DOCUMENTS = Path("tests/ops/test_documents.py")
"""The tests of documents, which name lines of the code too."""

STEPS = 3
"""Imports from a test to a change, at most. With more, nearly every test reaches every change."""

TEST = re.compile(r"^ *(async )?def test_", re.MULTILINE)
SECONDS = {"": 0.05, "async ": 0.35}
"""Guess of one test function's seconds on two cores: most that are asynchronous need a service."""

SYSTEMS = re.compile(
    r"\b(running: System|library: Library|Library\(|started_system)"
    r"|pytestmark = .*mark\.(kafka|web|mutants|alone|engines|deploy|cluster)"
)
"""In the source of tests that start a whole system, or that `make test` leaves out."""


def test_files() -> list[Path]:
    """Return all test files, without those of npm's packages."""
    found = Path("tests").rglob("test_*.py")
    return sorted(file for file in found if "node_modules" not in file.parts)


def module(file: Path) -> str:
    """Return the name under which a file is imported."""
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def imports() -> grimp.ImportGraph:
    """Return the imports between all modules; test files import the `conftest.py` of their folders.

    The one of tests/ is left out: by it each test would reach the infrastructure and accounts.
    """
    files = test_files()
    loose = {module(file.parent) for file in files if not (file.parent / "__init__.py").exists()}
    graph = grimp.build_graph(*PRODUCT, "tests", *sorted(loose), cache_dir=None)
    for file in files:
        for folder in file.parents[:-2]:
            if (conftest := module(folder / "conftest.py")) in graph.modules:
                graph.add_import(importer=module(file), imported=conftest)
    return graph


def is_of_subject(test: Path, changed: Path) -> bool:
    """Tell if a test file is named after a changed file, or after one of that file's folders."""
    folder, *words = changed.parts[changed.parts[0] == "services" :]
    stems = (re.escape(Path(word).stem.removesuffix("s")) for word in words)
    return test.parts[1] == folder and any(
        re.match(rf"test_{stem}s?(_|$)", test.stem) for stem in stems
    )


def distances(changed: Iterable[Path], graph: grimp.ImportGraph) -> dict[Path, int]:
    """Return the test files that reach a change in a few imports, and in how many."""
    steps = dict.fromkeys(itertools.chain(*(changed_modules(file, graph) for file in changed)), 0)
    near = deque(steps)
    while near:
        imported = near.popleft()
        for importer in graph.find_modules_that_directly_import(imported):
            if importer not in steps and steps[imported] < STEPS:
                steps[importer] = steps[imported] + 1
                near.append(importer)
    return {file: steps[module(file)] for file in test_files() if module(file) in steps}


def changed_modules(file: Path, graph: grimp.ImportGraph) -> Iterable[str]:
    """Return the module of a file; for one that is not Python, such as a template, its package."""
    if file.suffix == ".py":
        return graph.modules & {module(file)}
    package = next(
        (name for one in file.parents[:-1] if (name := module(one)) in graph.modules), ""
    )
    return graph.find_descendants(package) if "." in package else ()


def reaching(changed: Collection[Path], graph: grimp.ImportGraph) -> dict[Path, int]:
    """Return the test files that a change touches, nearest first, with their distance to it."""
    near = distances(changed, graph)
    product = any(file.parts[0] in PRODUCT for file in changed)
    documents = product or any(file.suffix == ".md" for file in changed)
    for test in test_files():
        if any(is_of_subject(test, file) for file in changed):
            near[test] = 0
        elif (product and test.parent.name == "rules") or (documents and test == DOCUMENTS):
            near[test] = 1
    return dict(sorted(near.items(), key=lambda one: (one[1], seconds(one[0]))))


def seconds(test: Path) -> float:
    """Return a guess of a test file's seconds on two cores."""
    return sum(SECONDS[kind] for kind in TEST.findall(test.read_text()))


def choice(near: Collection[Path], changed: Collection[Path], budget: float) -> list[Path]:
    """Return the files to play: those changed, then the nearest that the budget of seconds allows.

    Files that start whole systems are played only if they are changed.
    """
    played = [test for test in near if test in changed]
    for test in near:
        if test not in played and not SYSTEMS.search(test.read_text()):
            budget -= seconds(test)
            if budget < 0:
                break
            played.append(test)
    return played


def changed_files(since: str | None) -> list[Path]:
    """Return the files that differ from a commit: by default HEAD, or the one before it.

    Raises CalledProcessError if git does not know the commit.
    """
    differing = ("diff", "--name-only", "--no-renames", "--relative", since or "HEAD", "--")
    untracked = ("ls-files", "--others", "--exclude-standard")
    found = []
    for command in (differing, untracked):
        git = ["git", "-c", "core.quotePath=off", *command]
        listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout
        found += [Path(line) for line in listed.splitlines()]
    return found if found or since else changed_files("HEAD~1")


def main() -> int:
    """Play the chosen tests. Return the exit status of pytest."""
    options = argparse.ArgumentParser(prog="python -m tests.quick", description=__doc__)
    options.add_argument("--since", metavar="REF", help="commit that the changes are based on")
    options.add_argument("--seconds", type=float, default=150, help="(default: 150)")
    given = options.parse_args()
    try:
        changed = changed_files(given.since)
    except subprocess.CalledProcessError as error:
        print(f"git: {error.stderr.splitlines()[0]}", file=sys.stderr)  # noqa: T201
        return 2
    near = reaching(changed, imports())
    played = choice(near, changed, given.seconds)
    rest = f"{len(near) - len(played)} more reach them and are left to make test."
    said = f"{len(played)} test files for {len(changed)} changed files; {rest}"
    print(*played, said, sep="\n", flush=True)  # noqa: T201
    if not played:
        return 0
    status = subprocess.call(
        (sys.executable, "-m", "pytest", "--numprocesses=4", *map(str, played))
    )
    return 0 if status == pytest.ExitCode.NO_TESTS_COLLECTED else status


if __name__ == "__main__":
    sys.exit(main())
