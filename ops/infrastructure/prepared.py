"""Start commands of `carrel` by forking a process that has imported them already.

The imports take most of a second of processor time, which five services and their restarts would
each spend again. `start` forks the prepared process, which is started with the first command; it
ends with this process. A command that is forked has its own session, environment and files.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pkgutil
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO

COMMAND = (sys.executable, "-m", "ops")
"""The beginning of each command of `carrel`."""
program: Sequence[str] = ("-m", "ops.infrastructure.prepared")
"""Arguments of Python for the prepared process, which runs `main`; tests have one of their own."""
READ_AT_START = ("LD_", "PYTHON")
"""Prefixes of variables that only a new process reads: the loader's and the interpreter's."""
LARGEST = 1024 * 1024
"""Bytes of the longest request: arguments and environment."""


@dataclass(eq=False)
class Forked:
    """A forked command, with what Child needs of subprocess.Popen."""

    pid: int
    returncode: int | None = None
    """Its exit code (negative: ended by that signal), or None while it runs."""
    _ended: threading.Event = field(default_factory=threading.Event)

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return its exit code. Raises subprocess.TimeoutExpired."""
        if not self._ended.wait(timeout) or self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.returncode

    def end(self, code: int) -> None:
        """Note that it has ended."""
        self.returncode = code
        self._ended.set()


def suits(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether `start` can start the command; if not, subprocess has to.

    Forking without a new program is safe on Linux only.
    """
    return (
        sys.platform == "linux"
        and tuple(command[: len(COMMAND)]) == COMMAND
        and not any(name.startswith(READ_AT_START) for name in environment)
    )


def prepare() -> None:
    """Begin the imports now, so that the first `start` waits less for them."""
    if suits(COMMAND, {}):
        with _lock:
            _server()


def start(
    command: Sequence[str], environment: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> Forked:
    """Start a command that `suits`, in its own session and this process's working directory."""
    with _lock:
        return _server().start(command[len(COMMAND) :], environment, stdout, stderr)


def _server() -> _Server:
    folder = Path.cwd()  # packages are imported from there
    server = _servers.get(folder)
    if server is None or server.ended:
        server = _servers[folder] = _Server(folder)
    return server


class _Server:
    """The prepared process, as seen by the process that uses it."""

    def __init__(self, folder: Path) -> None:
        self.ended = False
        self._forked: dict[int, Forked] = {}
        self._started: queue.SimpleQueue[Forked | None] = queue.SimpleQueue()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, *program, str(theirs.fileno())],
                cwd=folder,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, name="prepared", daemon=True).start()

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> Forked:
        request = {"arguments": list(arguments), "environment": dict(environment)}
        files = [stdout.fileno(), stderr.fileno()]
        socket.send_fds(self._channel, [json.dumps(request).encode()], files)
        try:
            started = self._started.get()
        except BaseException:  # Ctrl-C: nobody else would ever end the process
            if (late := self._started.get()) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(late.pid, signal.SIGKILL)
            raise
        if started is None:
            raise OSError("the process that starts commands has ended")
        return started

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionError):
            while message := self._channel.recv(LARGEST):
                said = json.loads(message)
                if "code" in said:
                    self._forked.pop(said["pid"]).end(said["code"])
                else:
                    forked = self._forked[said["pid"]] = Forked(said["pid"])
                    self._started.put(forked)
        self.ended = True
        self._process.wait()
        for forked in self._forked.values():  # without it nobody learns how they end
            with contextlib.suppress(ProcessLookupError):
                os.killpg(forked.pid, signal.SIGKILL)
            forked.end(-signal.SIGKILL)
        self._started.put(None)


_servers: dict[Path, _Server] = {}
_lock = threading.Lock()


def main() -> None:
    """Fork a process for each request on the channel, until the other end is closed."""
    gc.disable()  # what imports allocate stays until the end
    channel = socket.socket(fileno=int(sys.argv[1]))
    left = _modules()
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    while True:
        readable, _, _ = select.select([channel.fileno(), woken], [], [], 0 if left else None)
        if not readable:
            _import(left.pop(0))
        if woken in readable:
            os.read(woken, 4096)
            _report_ends(channel)
        if channel.fileno() in readable:
            message, files, _, _ = socket.recv_fds(channel, LARGEST, 2)
            if not message:
                return
            request = json.loads(message)
            for module in _needed(request["arguments"], left):
                left.remove(module)
                _import(module)
            gc.freeze()  # the memory stays shared: no collection touches it
            if not _fork(channel, files):
                break  # this is the forked process
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for one in (channel.detach(), woken, wakes):
        os.close(one)
    os.environ.clear()
    os.environ.update(request["environment"])
    gc.enable()
    sys.argv = ["carrel", *request["arguments"]]
    with contextlib.suppress(OSError):  # shown by `ps` and `top`
        Path("/proc/self/comm").write_text("-".join(request["arguments"][:2]))
    import_module("ops.cli").app(prog_name="carrel")


def _modules() -> list[str]:
    """Return the modules to import, those of the service that is started first at the beginning."""
    from services.registry import NAMES

    commands = import_module("ops.commands")
    found = [one.name for one in pkgutil.iter_modules(commands.__path__, "ops.commands.")]
    served = [module for name in NAMES for module in _served(name)]
    return ["ops.cli", "shared.server", "shared.wire", "uvloop", *served, *found]


def _served(service: str) -> list[str]:
    return [f"services.{service}.{part}" for part in ("app", "settings")]


def _needed(arguments: Sequence[str], left: Sequence[str]) -> list[str]:
    """Return the modules of those left that are imported before this command is forked.

    A service begins while those after it are still imported; any other command waits for all.
    """
    from services.registry import NAMES

    match arguments:
        case ["serve", service, *_]:
            others = {module for name in NAMES if name != service for module in _served(name)}
            return [
                module
                for module in left
                if module not in others and not module.startswith("ops.commands.")
            ]
        case _:
            return list(left)


def _import(module: str) -> None:
    with contextlib.suppress(Exception):  # the command that needs it fails, and says why
        import_module(module)


def _fork(channel: socket.socket, files: Sequence[int]) -> int:
    """Fork; return the new process's id, or 0 in the new process once it has its own session."""
    ready, is_ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, file in enumerate((nothing, *files)):
            os.dup2(file, number)
        for file in (nothing, *files, ready, is_ready):
            os.close(file)
        return 0
    for file in (*files, is_ready):
        os.close(file)
    os.read(ready, 1)  # the end of the file: a signal to its session now reaches it
    os.close(ready)
    channel.send(json.dumps({"pid": pid}).encode())
    return pid


def _report_ends(channel: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            channel.send(json.dumps({"pid": pid, "code": code}).encode())


if __name__ == "__main__":
    main()
