"""One child process: started, waited for, stopped, and broken on purpose by the fault tests.

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

from ops import guard

POLL = 0.02
"""Seconds between two looks at a process that starts or ends."""


class StartFailed(Exception):
    """A process did not come up. The text says which, why, and shows the end of its log."""


@dataclass
class Child:
    """A process in a session of its own, with its log in a file.

    `ready` says whether it can be used; it is asked every 20 ms once the process is launched.
    `port` is where it listens, and stays the same over stop and start.
    """

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    limit: float = 60.0
    """Seconds that it may take to become ready."""
    more_ports: Sequence[int] = ()
    """Where it listens besides."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def pid(self) -> int | None:
        """The id of the running process, or None."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process exists; a suspended one does."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the last run ended (negative: by that signal), or None if it has not."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Launches it and waits until it is ready. Raises StartFailed."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Launches it and returns at once, so that several can come up side by side."""
        if self.running:
            return
        if self._process:
            _forget(self._process.pid)  # it ended by itself; its id may be anyone's by now
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - commands are built in this package
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                # Ctrl-C goes to the terminal's whole group: in a session of their own, children
                # hear of it from us alone, in order.
                start_new_session=True,
            )
        _watch(self._process.pid)

    def wait_ready(self) -> None:
        """Waits until `ready` says so; else ends it and raises StartFailed."""
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
            time.sleep(POLL)  # a process tells nobody that it is ready: it is asked

    def wait(self, limit: float = 30.0) -> int:
        """Waits until it has ended by itself: its exit code. Raises TimeoutError."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        try:
            code = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} still runs after {limit:.0f} s") from None
        _forget(self._process.pid)
        return code

    def stop(self, limit: float = 15.0) -> None:
        """Ends it in order: SIGTERM, and SIGKILL if it is still there after `limit` seconds."""
        self.signal_stop()
        self._finish(limit)

    def signal_stop(self) -> None:
        """Asks it to end and returns at once."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a suspended process hears nothing else

    def kill(self) -> None:
        """SIGKILL, as a crash would: no goodbye, nothing flushed."""
        self._signal(signal.SIGKILL)
        self._finish(10.0)

    def suspend(self) -> None:
        """Freezes it: its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on after `suspend`."""
        self._signal(signal.SIGCONT)

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log, and where the whole is."""
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


def stop_all(children: Sequence[Child]) -> None:
    """Ends them side by side, in order and each within its time."""
    for child in children:
        child.signal_stop()
    for child in children:
        child.stop()


def start_all(children: Sequence[Child]) -> None:
    """Starts them side by side. If one fails all are ended, and StartFailed is raised."""
    try:
        for child in children:
            child.launch()
        for child in children:
            child.wait_ready()
    except BaseException:
        stop_all(children)
        raise


# One guard for this process, started with its first child. Its standard input closes when this
# process ends in whatever way; unlike PR_SET_PDEATHSIG, whichever thread launched the child.
_guard: subprocess.Popen[str] | None = None
_guard_lock = threading.Lock()


def _watch(pid: int) -> None:
    _tell_guard(f"+{pid}\n")


def _forget(pid: int) -> None:
    _tell_guard(f"-{pid}\n")


def _tell_guard(line: str) -> None:
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
