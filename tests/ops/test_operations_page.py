"""The pages for operators list exactly the settings, jobs and commands that there are."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import typer

from ops import commands
from services.registry import NAMES
from services.settings import Settings
from shared.jobs import Job

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (DOCS / "configure.md").read_text() + (DOCS / "commands.md").read_text()
PARTS = dict(re.findall(r"^##+ ([^\n]+)\n(.*?)(?=^##? |\Z)", PAGES, re.MULTILINE | re.DOTALL))
UNITS = {"s": 1, "min": 60, "h": 3600}


def sub_commands() -> Iterator[Any]:
    """Yield the module of each sub-command."""
    for found in iter_modules(commands.__path__, f"{commands.__name__}."):
        yield import_module(found.name)


def rows(part: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the table of a part."""
    for line in re.findall(r"^\| (.*) \|$", PARTS[part], re.MULTILINE):
        yield [cell.strip() for cell in line.split(" | ")]


def settings_of(service: str) -> type[Settings]:
    kind: type[Settings] = import_module(f"services.{service}.settings").Settings
    return kind


def variables(service: str) -> set[str]:
    """Return the names of the variables of a service, but for the addresses of services."""
    return {f"CARREL_{name.upper()}" for name in settings_of(service).model_fields} - {
        "CARREL_URLS"
    }


def test_the_page_lists_each_setting_and_no_other() -> None:
    listed = [name for cells in rows("Settings") for name in re.findall(r"CARREL_\w+", cells[0])]
    assert len(listed) == len(set(listed))
    addresses = {f"CARREL_{name.upper()}_URL" for name in NAMES}
    assert set(listed) - addresses == set[str]().union(*map(variables, NAMES))


@pytest.mark.parametrize("service", NAMES)
def test_the_page_has_the_default_of_each_number(service: str) -> None:
    for cells in rows("Settings"):
        for name, said in zip(
            re.findall(r"CARREL_\w+", cells[0]), cells[1].split(", "), strict=False
        ):
            field: Any = settings_of(service).model_fields.get(name.removeprefix("CARREL_").lower())
            if field is not None and type(field.default) is int:
                assert said.strip("`") == str(field.default), name


@pytest.mark.parametrize("service", NAMES)
def test_the_page_lists_each_job_with_its_interval_and_no_other(service: str) -> None:
    jobs: dict[str, Job] = import_module(f"services.{service}.app").JOBS.by_name
    listed = {}
    for name, every, *_ in rows("Jobs"):
        owner, _, job = name.partition("/")
        if owner == service:
            number, unit, *marks = every.split()
            listed[job] = (float(number) * UNITS[unit], marks == ["*"])
    assert listed == {job.name: (job.every_seconds, job.steady) for job in jobs.values()}


def test_the_page_lists_each_command_with_its_verbs_and_no_other() -> None:
    listed: dict[str, str] = {}
    for what, *_ in rows("Commands"):
        for command in re.findall(r"^`carrel ([a-z-]+)", what):
            listed[command] = listed.get(command, "") + what
    modules = {module.__name__.rpartition(".")[2]: module for module in sub_commands()}
    assert set(listed) == {name.rstrip("_").replace("_", "-") for name in modules}
    for name, module in modules.items():
        group = typer.main.get_group(module.app)
        for verb in group.commands:
            assert re.search(rf"[` ]{verb}[` ]", listed[name.rstrip("_").replace("_", "-")]), verb
