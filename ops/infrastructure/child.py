"""One child process: start it, wait for it, stop it, and break it on purpose in fault tests.

All calls block; from asyncio call them through `asyncio.to_thread`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.infrastructure import guard, prepared, private

POLL = 0.02
"""Seconds between two checks of a process that starts or ends."""
GROUP_TRIES = 50
"""Tries to change the niceness of a group, which others may do at the same time."""


class StartFailed(Exception):
    """A process did not start. The text says which one and why, and shows the end of its log."""


@dataclass
class Child:
    """A process in its own session, with its log in a file.

    `ready` returns whether it can be used; it is called every 20 ms after the launch. `port` is the
    port that it listens on, which stays the same over stop and start.
    """

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    limit: float = 120.0
    """Seconds that it may take to become ready."""
    more_ports: Sequence[int] = ()
    """Further ports that it listens on."""
    niceness: int = 0
    """Its niceness, 0 to 19: the higher, the more it gives way while the processors are busy."""
    needs: Sequence[str] = ()
    """Modules with which it is forked from the prepared process; none: it starts by itself."""
    _process: subprocess.Popen[bytes] | prepared.Forked | None = field(
        default=None, init=False, repr=False
    )

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """True while the process exists, also when it is suspended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last run (negative: ended by that signal), or None while it runs."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Launch the process and wait until it is ready. Raises StartFailed."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Launch the process and return at once, so that several can start in parallel."""
        if self.running:
            return
        if self._process:
            _forget(self._process.pid)  # it ended by itself; another process may have its id now
        self.log.parent.mkdir(parents=True, exist_ok=True)
        others = {name: value for name, value in os.environ.items() if "CARREL_" not in name}
        environment = others | dict(self.environment)  # no other process's secrets
        with private.append_to(self.log) as log:
            if self.needs and prepared.suits(self.command, self.environment):
                self._process = prepared.start(
                    self.command, environment, log, log, needs=self.needs
                )
            else:
                nice = ("nice", "-n", str(self.niceness)) if self.niceness else ()
                self._process = subprocess.Popen(  # noqa: S603 - built in this package
                    [*nice, *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    # Ctrl-C goes to the terminal's whole group. In their own session, children are
                    # signalled only by us, in order.
                    start_new_session=True,
                )
                if self.niceness:
                    _give_way(self._process.pid, self.niceness)
        _watch(self._process.pid)

    def wait_ready(self) -> None:
        """Wait until the process is ready; else end it and raise StartFailed."""
        until = time.monotonic() + self.limit
        while not self.ready():
            if not self.running:
                raise StartFailed(
                    f"{self.name} ended with code {self.exit_code} while starting.\n{self.tail()}"
                )
            if time.monotonic() > until:
                self.kill()
                raise StartFailed(
                    f"{self.name} was not ready within {self.limit:.0f} s.\n{self.tail()}"
                )
            time.sleep(POLL)  # a process does not report that it is ready

    def wait(self, limit: float = 30.0) -> int:
        """Wait until the process has ended by itself; return its exit code. Raises TimeoutError."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        try:
            code = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} still runs after {limit:.0f} s") from None
        _forget(self._process.pid)
        return code

    def stop(self, limit: float = 15.0) -> None:
        """End the process with SIGTERM, and with SIGKILL if it still runs after `limit` seconds."""
        self.signal_stop()
        self._finish(limit)

    def signal_stop(self) -> None:
        """Send SIGTERM and return at once."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a suspended process handles no other signal

    def kill(self) -> None:
        """Kill the process with SIGKILL, as a crash would: nothing is flushed."""
        self._signal(signal.SIGKILL)
        self._finish(10.0)

    def suspend(self) -> None:
        """Suspend the process: its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the process after `suspend`."""
        self._signal(signal.SIGCONT)

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the log, and the log's path."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            text = ""
        return "\n".join([*text.splitlines()[-lines:], f"(log: {self.log})"])

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _finish(self, limit: float) -> None:
        process = self._process
        if process is None:
            return
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            process.wait(10.0)
        _forget(process.pid)


def _give_way(session: int, niceness: int) -> None:
    """Give a session's group of processes less of the processors, where the kernel forms such.

    It then compares the niceness of processes only within their group: sched(7), autogroup. All
    users but root together may change one such group in 0.1 s.
    """
    for _ in range(GROUP_TRIES):
        try:
            Path(f"/proc/{session}/autogroup").write_text(str(niceness))
        except BlockingIOError:
            time.sleep(POLL)  # it is not told when the next change is allowed
        except OSError:
            return  # no such groups: not Linux, or without this feature
        else:
            return


def stop_all(children: Sequence[Child]) -> None:
    """Stop the children in parallel, each within its time limit."""
    for child in children:
        child.signal_stop()
    for child in children:
        child.stop()


def start_all(children: Sequence[Child]) -> None:
    """Start the children in parallel. If one fails, stop all and raise StartFailed."""
    try:
        for child in children:
            child.launch()
        for child in children:
            child.wait_ready()
    except BaseException:
        stop_all(children)
        raise


# One guard for this process, started with its first child. Its standard input closes when this
# process ends in any way; unlike PR_SET_PDEATHSIG, it does not depend on the launching thread.
_guard: subprocess.Popen[str] | None = None
_guard_lock = threading.Lock()


def _watch(pid: int) -> None:
    _write_to_guard(f"+{pid}\n")


def _forget(pid: int) -> None:
    _write_to_guard(f"-{pid}\n")


def _write_to_guard(line: str) -> None:
    global _guard  # noqa: PLW0603 - one for the process, on purpose
    with _guard_lock:
        if _guard is None:
            _guard = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", guard.__file__],
                stdin=subprocess.PIPE,
                start_new_session=True,
                text=True,
                bufsize=1,
            )
        if _guard.stdin:
            _guard.stdin.write(line)
