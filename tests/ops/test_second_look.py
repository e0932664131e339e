"""The second look of the gate, on small suites of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import second_look

PROJECT = Path(__file__).parents[2]
CONFTEST = """
from tests.second_look import Recorder

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config.option.markexpr))
"""
ONCE = """
def fails_once(name):
    from pathlib import Path
    mark = Path(name)
    if not mark.exists():
        mark.touch()
        raise AssertionError("too late")
"""


def gate(folder: Path, tests: str) -> tuple[int, str]:
    """Play a suite of these tests, then the second look; return its exit status and output."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_small.py").write_text(tests)
    environment = {
        **{n: v for n, v in os.environ.items() if not n.startswith("PYTEST")},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # loading the others takes most of the time
        "PYTEST_ADDOPTS": "-p xdist",
        "SUITE": "small",
        "PYTHONPATH": str(PROJECT),
    }

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    status, output = run("pytest", "--numprocesses=2", "test_small.py")
    assert status, output
    return run("tests.second_look", "small")


def test_a_test_that_fails_once_is_listed_as_unsteady(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARREL_TEST_KAFKA", "apache")
    variable = "    import os\n    assert os.environ['CARREL_TEST_KAFKA'] == 'apache'\n"
    once = f"def test_once():\n    fails_once('a')\n{variable}"
    status, output = gate(tmp_path, f"{ONCE}\n{once}\ndef test_good(): pass\n")
    assert status == 0, output
    listed = output.partition("Unsteady: failed beside others, passed alone")[2]
    assert "small: test_small.py::test_once" in listed
    assert "AssertionError: too late" in listed
    assert "s beside others" in listed
    assert "test_good" not in output


def test_a_test_that_does_not_pass_at_the_second_look_fails_the_gate(tmp_path: Path) -> None:
    tests = """
def test_once(): fails_once('a')
def test_always(): assert False
def test_skipped():
    import pytest
    fails_once('b')
    pytest.skip('not seen to pass')
"""
    status, output = gate(tmp_path, ONCE + tests)
    assert status == 1
    unsteady, _, broken = output.partition("Failed twice")
    assert "small: test_small.py::test_once" in unsteady
    assert "small: test_small.py::test_once" not in broken
    assert "small: test_small.py::test_always" in broken
    assert "small: test_small.py::test_skipped" in broken


@pytest.mark.parametrize("failures", [second_look.MOST, second_look.MOST + 1])
def test_many_failures_get_no_second_look(tmp_path: Path, failures: int) -> None:
    tests = "".join(f"def test_{n}(): fails_once('{n}')\n" for n in range(failures))
    status, output = gate(tmp_path, f"{ONCE}\n{tests}")
    few = failures <= second_look.MOST
    assert (status == 0) == few, output
    assert ("Second look at" in output) == few


@pytest.mark.parametrize(
    "tests",
    [
        "import nothing_of_this_name",
        # The process of the suite ends at once, so that nothing is recorded.
        """
import os
if 'PYTEST_XDIST_WORKER' in os.environ: os.kill(os.getppid(), 9)
def test_a(): pass
""",
    ],
    ids=["a module that cannot be imported", "a process that is killed"],
)
def test_a_suite_that_crashes_fails_the_gate(tmp_path: Path, tests: str) -> None:
    status, output = gate(tmp_path, tests)
    assert status == 1, output
    assert "Second look at" not in output
