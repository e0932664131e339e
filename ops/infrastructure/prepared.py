"""Start Python programs by forking a process that has imported their modules already.

The imports of a service take most of a second of processor time, which five services and their
restarts would each spend again. Callers give the modules (`prepare`) and the programs (`start`).
The prepared process ends with this process. A program that is forked has its own session,
environment and files.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import runpy
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
from typing import IO, Any

PROGRAM = (sys.executable, "-m")
"""The beginning of each command that can be forked; the name of a module follows."""
READ_AT_START = ("LD_", "PYTHON")
"""Prefixes of variables that only a new process reads: the loader's and the interpreter's."""
LARGEST = 1024 * 1024
"""Bytes of the longest message: arguments and environment."""


@dataclass(eq=False)
class Forked:
    """A forked program, with what Child needs of subprocess.Popen."""

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
        and tuple(command[: len(PROGRAM)]) == PROGRAM
        and not any(name.startswith(READ_AT_START) for name in environment)
    )


def add(modules: Sequence[str]) -> None:
    """Let each prepared process import modules, in this order, before what is asked for later."""
    with _lock:
        new = [module for module in modules if module not in _modules]
        _modules.extend(new)
        for server in _servers.values():
            with contextlib.suppress(OSError):  # it has ended: another will get all modules
                server.send({"modules": new})


def prepare(modules: Sequence[str]) -> None:
    """Begin to import modules now, so that the first `start` waits less for them."""
    add(modules)
    if suits(PROGRAM, {}):
        with _lock:
            _server()


def start(
    command: Sequence[str],
    environment: Mapping[str, str],
    stdout: IO[bytes],
    stderr: IO[bytes],
    *,
    needs: Sequence[str],
) -> Forked:
    """Start a command that `suits`, in its own session and this process's working directory.

    It is forked once the modules that it `needs` are imported.
    """
    module, *arguments = command[len(PROGRAM) :]
    request = {
        "module": module,
        "arguments": arguments,
        "environment": dict(environment),
        "needs": list(needs),
    }
    with _lock:
        return _server().start(request, [stdout.fileno(), stderr.fileno()])


def _server() -> _Server:
    folder = Path.cwd()  # packages are imported from there
    server = _servers.get(folder)
    if server is None or server.ended:
        server = _servers[folder] = _Server(folder)
        server.send({"modules": _modules})
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
                [*PROGRAM, __name__, str(theirs.fileno())],
                cwd=folder,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, name="prepared", daemon=True).start()

    def send(self, message: Mapping[str, Any], files: Sequence[int] = ()) -> None:
        socket.send_fds(self._channel, [json.dumps(message).encode()], files)

    def start(self, request: Mapping[str, Any], files: Sequence[int]) -> Forked:
        self.send(request, files)
        try:
            started = self._started.get()
        except BaseException:  # Ctrl-C: nobody else would ever end the process
            if (late := self._started.get()) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(late.pid, signal.SIGKILL)
            raise
        if started is None:
            raise OSError("the process that starts programs has ended")
        return started

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionError):
            while message := self._channel.recv(LARGEST):
                report = json.loads(message)
                if "code" in report:
                    self._forked.pop(report["pid"]).end(report["code"])
                else:
                    forked = self._forked[report["pid"]] = Forked(report["pid"])
                    self._started.put(forked)
        self.ended = True
        self._process.wait()
        for forked in self._forked.values():  # without it nobody learns how they end
            with contextlib.suppress(ProcessLookupError):
                os.killpg(forked.pid, signal.SIGKILL)
            forked.end(-signal.SIGKILL)
        self._started.put(None)


_servers: dict[Path, _Server] = {}
_modules: list[str] = []
"""All modules that callers gave: another prepared process has to import them too."""
_lock = threading.Lock()


def main() -> None:
    """Fork a process for each request on the channel, until the other end is closed."""
    gc.disable()  # what imports allocate stays until the end
    channel = socket.socket(fileno=int(sys.argv[1]))
    left: list[str] = []
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
            left += request.get("modules", ())
            if "module" not in request:
                continue
            for module in request["needs"]:
                while module in left:
                    _import(left.pop(0))
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
    sys.argv = [request["module"], *request["arguments"]]
    with contextlib.suppress(OSError):  # shown by `ps` and `top`
        name = request["module"].rpartition(".")[2]
        Path("/proc/self/comm").write_text("-".join([name, *request["arguments"][:1]]))
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _import(module: str) -> None:
    with contextlib.suppress(Exception):  # the program that needs it fails, and says why
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
