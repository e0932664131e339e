"""Checks that `python -m tests.ops.containers` makes before it has an engine."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from tests.ops import containers, stand_ins

ROOT = Path(__file__).parents[2]


def test_without_an_engine_the_missing_program_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["containers", "--running-engine"])
    assert containers.main() == 2
    assert "This machine cannot: there is no docker on the PATH" in capsys.readouterr().out


def test_every_named_image_has_a_described_stand_in() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    named = {service["image"] for service in services.values() if "build" not in service}
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    named |= {line.split()[1] for line in lines if line.startswith("FROM ")}
    assert set(stand_ins.names().values()) == named
    assert set(stand_ins.names()) == set(stand_ins.WHAT)
    for name in stand_ins.WHAT:
        assert (stand_ins.IMAGES / f"{name}.Dockerfile").exists()


def test_every_service_of_the_compose_file_has_a_health_check_and_is_stopped() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(containers.ALL) == set(services)


def test_a_container_gets_every_file_that_its_part_of_the_test_imports(tmp_path: Path) -> None:
    for file in containers.INSIDE:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    there = {"carrel", *map(_normal, locked)}
    absent = [
        module
        for module, names in packages_distributions().items()
        if there.isdisjoint(map(_normal, names))
    ]
    script = (
        "import json, sys; sys.modules.update(dict.fromkeys(json.loads(sys.argv[1])));"
        "import tests.ops.compose_inside as inside; print(inside.__file__)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, json.dumps(absent)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).is_relative_to(tmp_path)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
