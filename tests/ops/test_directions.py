"""No module needs another that needs it, also not by a name in a string."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

PACKAGES = ("shared", "services", "ops")
ROOT = Path(__file__).parents[2]


def named(source: str, modules: frozenset[str]) -> Iterator[str]:
    """Yield the modules that the strings of a source name; a place in braces is any one name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+"
                for part in node.values
            ]
            if parts[0].startswith(tuple(f"{package}\\." for package in PACKAGES)):
                yield from filter(re.compile("".join(parts)).fullmatch, modules)
        elif isinstance(node, ast.Constant) and "." in str(node.value) and node.value in modules:
            yield str(node.value)


def test_no_module_needs_another_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False)
    modules = frozenset(graph.modules)
    needs = {}
    for module in modules:
        path = ROOT / module.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        found = graph.find_modules_directly_imported_by(module)
        needs[module] = {*found, *named(file.read_text(), modules)} - {module}
    while leaves := [module for module, others in needs.items() if not others & needs.keys()]:
        for module in leaves:
            del needs[module]
    # Left are the modules in a circle, and those that need one of them.
    assert not circles(needs), needs


def circles(needs: dict[str, set[str]]) -> list[str]:
    """Return the modules that need themselves through others."""

    def reached(module: str) -> set[str]:
        found: set[str] = set()
        new = {module}
        while new:
            new = set().union(*(needs[one] & needs.keys() for one in new)) - found
            found |= new
        return found

    return sorted(module for module in needs if module in reached(module))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('import_module("ops.cli")', ["ops.cli"]),
        ('import_module(f"services.{name}.app")', ["services.a.app"]),
        ('"ops"', []),
    ],
)
def test_names_in_strings_count(source: str, found: list[str]) -> None:
    modules = frozenset({"ops", "ops.cli", "services.a.app", "services.a.b.app"})
    assert list(named(source, modules)) == found
