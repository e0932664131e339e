"""An installed copy, as in the image, has all the files of the repository that it needs."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NOT_AT_RUN_TIME = (".py", ".pyc", ".cfg")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_templates_and_the_like_are_installed_with_their_package() -> None:
    tools = PROJECT["tool"]["setuptools"]
    named = {
        path
        for package, patterns in tools["package-data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
        if path.is_file()
    }
    there = {
        path
        for package in ("services", "shared", "ops")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in _NOT_AT_RUN_TIME
    }
    assert there == named
