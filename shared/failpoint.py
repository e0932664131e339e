"""Named places at which a test can kill or stop a process, as a power cut or a freeze would."""

import os
import signal
from collections import Counter
from functools import cache
from pathlib import Path

_passes: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Kill this process (SIGKILL) or stop it (SIGSTOP) if a test has armed this place.

    CARREL_FAILPOINT is the path of a file with the text `NAME:N`: the process is killed the Nth
    time that it passes NAME after the text was written. With `NAME:N:stop` it stops there until
    SIGCONT. The file may appear, change and disappear while the process runs. Without the
    variable nothing is read.
    """
    armed = _file()
    if not armed:
        return
    try:
        wanted = Path(armed).read_text()
    except FileNotFoundError:
        return
    place, _, times = wanted.partition(":")
    count, _, what = times.partition(":")
    if place != name:
        return
    _passes[wanted] += 1
    if _passes[wanted] >= int(count):
        os.kill(os.getpid(), signal.SIGSTOP if what else signal.SIGKILL)


@cache
def _file() -> str:
    """The path that a test set; read at the first step, not when the module is imported."""
    return os.environ.get("CARREL_FAILPOINT", "")
