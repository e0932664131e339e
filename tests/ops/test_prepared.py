"""Commands that are forked from a prepared process are processes of their own."""

import os
import queue
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.infrastructure import prepared
from ops.infrastructure.prepared import PROGRAM, Forked
from tests import patience
from tests.ops.command import CARREL, NEEDS

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere each command starts as a new process"
)


def start(folder: Path, *arguments: str, **environment: str) -> tuple[Forked, Path]:
    output = folder / "output"
    with output.open("wb") as file:
        process = prepared.start(
            [*CARREL, *arguments],
            {**os.environ, **environment},
            stdout=file,
            stderr=file,
            needs=NEEDS,
        )
    return process, output


@contextmanager
def reading(folder: Path) -> Iterator[Forked]:
    """A command that waits for the rest of its input."""
    row = folder / "row"
    os.mkfifo(row)
    arguments = ("policies", "set", "books", "--reason", "a test", "--file", str(row))
    process, _ = start(folder, *arguments, CARREL_MONGO_URL="mongodb://127.0.0.1:9")
    with row.open("wb"):  # as soon as the command has opened it
        yield process


def test_a_command_has_its_own_arguments_environment_session_and_exit_code(tmp_path: Path) -> None:
    process, output = start(tmp_path, "target", "--help", COLUMNS="60")
    assert process.wait(patience.stretched(60)) == 2
    assert "No such command 'target'" in output.read_text()
    process, output = start(tmp_path, "policies", "--help", COLUMNS="60")
    assert process.wait(patience.stretched(60)) == process.poll() == 0
    assert max(len(line) for line in output.read_text().splitlines()) == 60


def test_a_signal_reaches_it_at_once_and_shows_in_its_exit_code(tmp_path: Path) -> None:
    with reading(tmp_path) as process:
        assert os.getsid(process.pid) == process.pid
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(patience.stretched(60)) == -signal.SIGKILL


class Interrupted(queue.Queue[Forked | None]):
    """A queue whose reader is interrupted at first, as by Ctrl-C."""

    taken: list[Forked | None] | None = None

    def get(self, block: bool = True, timeout: float | None = None) -> Forked | None:
        if self.taken is None:
            self.taken = []
            raise KeyboardInterrupt
        self.taken.append(super().get(block, timeout))
        return self.taken[-1]


def test_a_command_that_is_interrupted_while_it_starts_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared.prepare(NEEDS)
    started = Interrupted()
    server = prepared._servers[Path.cwd()]  # other tests started programs in other folders
    monkeypatch.setattr(server, "_started", started)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, "serve", "events")
    assert started.taken
    [process] = started.taken
    assert process is not None
    assert process.wait(patience.stretched(60)) == -signal.SIGKILL


def test_two_commands_are_told_apart(tmp_path: Path) -> None:
    good, bad = (start(tmp_path, *arguments)[0] for arguments in (["--help"], ["nothing"]))
    assert (bad.wait(patience.stretched(60)), good.wait(patience.stretched(60))) == (2, 0)
    assert good.pid != bad.pid


def test_without_the_prepared_process_its_commands_end_and_the_next_one_starts_another(
    tmp_path: Path,
) -> None:
    with reading(tmp_path) as process:
        os.kill(parent_of(process.pid), signal.SIGKILL)
        assert process.wait(patience.stretched(60)) == -signal.SIGKILL
    again, output = start(tmp_path, "--help")
    assert again.wait(patience.stretched(60)) == 0
    assert "Usage: carrel" in output.read_text()


def test_another_prepared_process_gets_the_modules_that_were_added_to_one_that_has_ended(
    tmp_path: Path,
) -> None:
    with reading(tmp_path) as process:
        os.kill(parent_of(process.pid), signal.SIGKILL)
        assert process.wait(patience.stretched(60)) == -signal.SIGKILL
    prepared.add(["a.module.of.which.there.is.none"])
    assert start(tmp_path, "--help")[0].wait(patience.stretched(60)) == 0


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        (["/bin/true"], {}),
        ([sys.executable, "-c", "pass"], {}),
        ([*PROGRAM, "ops.serve", "events"], {"LD_PRELOAD": "libfaketime.so.1"}),
        ([*PROGRAM, "ops.serve", "events"], {"PYTHONHASHSEED": "0"}),
    ],
)
def test_other_programs_and_what_is_read_at_a_start_need_a_new_process(
    command: Sequence[str], environment: dict[str, str]
) -> None:
    assert not prepared.suits(command, environment)
    assert prepared.suits([*PROGRAM, "ops.serve", "events"], {"CARREL_PORT": "1"})
