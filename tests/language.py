"""The check of docstrings and test names that `make check` runs: `python -m tests.language`.

Prints each place that does not, with what to write instead; the exit code is 1 if there is any.
"""

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("services", "shared", "ops", "tests", "benchmarks", "examples")

OPENINGS = re.compile(
    r"(What|Whatever|Whether|How|Who|Whoever|Whom|Whose|Which|Where|Of|That|Those|As|By|From)\b"
)
"""First words after which a reader has to look for the subject of the sentence."""

OPEN_WITH = 'begin with a verb ("Return the fine …") or a noun phrase ("The fine of a loan …")'
NAME_AS = "say who does what, as test_borrowing_a_different_copy_does_not_collect_the_hold does"

WORDS = {
    re.compile(r"\b(bury|buries|buried|burial|undertaker)\b"): "dead letter",
    re.compile(r"\bhow manieth\b"): "ordinal",
    re.compile(r"\b(takes?|taken|took) in\b"): "process, or apply",
    re.compile(r"\b(catch|catches|caught) up\b"): "apply, or continue",
    re.compile(r"\bcarr(y|ies|ied) on\b"): "continue",
    re.compile(r"\bput(s|ting)? right\b"): "correct",
    re.compile(r"\btells? of\b"): "report, or notify",
    re.compile(r"\b(hence|lest|there(by|in|of|upon)|thrice|whilst)\b"): "a plain word, such as so",
}
"""Words that are not the field's, with the term to write instead."""

TEST_OPENINGS = re.compile(
    r"test_(what|whatever|whether|which|how|who|whom|whoever|whose|where|of|that)_"
)


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield all docstrings: of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value


def faults(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and fault of each docstring and test name that does not read as it should."""
    tree = ast.parse(source)
    for text in docstrings(tree):
        if found := OPENINGS.match(str(text.value).lstrip()):
            yield text.lineno, f'a docstring opens with "{found[0]}": {OPEN_WITH}'
        for word, term in WORDS.items():
            if used := word.search(str(text.value)):
                yield text.lineno, f'a docstring says "{used[0]}": write "{term}"'
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and TEST_OPENINGS.match(
            node.name
        ):
            yield node.lineno, f"{node.name} names no subject: {NAME_AS}"


def _files() -> Iterator[Path]:
    """Yield the project's Python files, without those of npm's packages, which may just arrive."""
    for folder in FOLDERS:
        for place, inside, names in os.walk(folder):
            inside[:] = sorted(set(inside) - {"node_modules"})
            yield from (Path(place, name) for name in sorted(names) if name.endswith(".py"))


def main() -> int:
    """Print every fault of the project. Return the exit code: 1 if there is one."""
    found = [
        f"{file}:{line}: {fault}" for file in _files() for line, fault in faults(file.read_text())
    ]
    print("\n".join(found))  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
