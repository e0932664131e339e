"""The limits of waits, with measured values that are given."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import patience
from tests.patience import MOST, SLEEPS_SECONDS, VARIABLE, WORK_SECONDS, factor

PROJECT = Path(__file__).parents[2]
CONFTEST = """
from tests import patience

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        patience.factor = lambda work, sleeps: 3.5
    patience.slowness()
"""
TEST = """
import subprocess, sys
from tests import patience

def test_slowness():
    assert patience.slowness() == 3.5
    script = "from tests import patience; print(patience.slowness())"
    assert subprocess.check_output([sys.executable, "-c", script]) == b"3.5\\n"
"""


@pytest.mark.parametrize(
    ("work", "sleeps", "expected"),
    [(0.5, 0.9, 1.0), (1.0, 1.0, 1.0), (3.0, 1.0, 3.0), (1.0, 2.5, 2.5), (100.0, 1.0, MOST)],
    ids=["quicker", "quiet", "slow work", "late threads", "at most"],
)
def test_the_slower_of_work_and_waking_is_the_slowness(
    work: float, sleeps: float, expected: float
) -> None:
    found = factor(work * WORK_SECONDS, sleeps * SLEEPS_SECONDS)
    assert found == pytest.approx(expected)


async def test_limits_stretch_with_the_slowness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1.00")
    quiet = patience.stretched(60)
    monkeypatch.setenv(VARIABLE, "2.50")
    assert patience.stretched(60) == 2.5 * quiet
    now = asyncio.get_running_loop().time()
    async with patience.within(60) as limit:
        assert (limit.when() or 0) >= now + 2.5 * quiet


def test_a_worker_process_and_its_children_inherit_the_slowness(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_small.py").write_text(TEST)
    inherited = {n: v for n, v in os.environ.items() if not n.startswith(("PYTEST", "TEST_"))}
    environment = {
        **{n: v for n, v in inherited.items() if n != "SUITE"},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # loading the others takes most of the time
        "PYTHONPATH": str(PROJECT),
    }
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "--numprocesses=1", "test_small.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
