"""The places in the code that docs/architecture.md names as `definition` (`file.py:line`).

`python -m tests.ops.walks` writes the lines anew, after definitions have moved.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PLACE = re.compile(r"`([\w.]+)`(\s+\(`)([\w/]+\.py):(\d+)`\)")


def definitions(body: list[ast.stmt], within: str = "") -> Iterator[tuple[str, int]]:
    """Yield the name and the line of each definition; those of a class have its name before."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield within + node.name, node.lineno
            yield from definitions(node.body, f"{within}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield within + target.id, node.lineno


def line_of(file: str, name: str) -> int:
    """Return the line of a definition. Raises KeyError if the file has none of that name."""
    return dict(definitions(ast.parse((ROOT / file).read_text()).body))[name]


def _written_anew(place: re.Match[str]) -> str:
    name, between, file, _ = place.groups()
    return f"`{name}`{between}{file}:{line_of(file, name)}`)"


if __name__ == "__main__":
    PAGE.write_text(PLACE.sub(_written_anew, PAGE.read_text()))
