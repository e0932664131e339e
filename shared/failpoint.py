"""Named places at which a test can kill a process, as a power cut would, or make it stand still."""

import os
import signal
from collections import Counter
from pathlib import Path

_armed = os.environ.get("CARREL_FAILPOINT", "")
_passes: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """End this process with SIGKILL, or stop it with SIGSTOP, if it is armed for this place.

    CARREL_FAILPOINT is the path of a file that says `NAME:N`: the process dies at its Nth pass of
    NAME since the file says so. `NAME:N:stop` makes it stand still there, until SIGCONT. The file
    may come, change and go while the process runs; without the variable nothing is looked at.
    """
    if not _armed:
        return
    try:
        wanted = Path(_armed).read_text()
    except FileNotFoundError:
        return
    place, _, times = wanted.partition(":")
    count, _, what = times.partition(":")
    if place != name:
        return
    _passes[wanted] += 1
    if _passes[wanted] >= int(count):
        os.kill(os.getpid(), signal.SIGSTOP if what else signal.SIGKILL)
