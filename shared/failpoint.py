"""Named places at which a test can kill a process, as a power cut would."""

import os
import signal

_name, _, _count = os.environ.get("CARREL_FAILPOINT", "").partition(":")
_left = int(_count or "1") if _name else 0


def failpoint(name: str) -> None:
    """End this process with SIGKILL if CARREL_FAILPOINT is `name` or `name:N`, at the Nth pass."""
    global _left  # noqa: PLW0603 - one process, one failpoint
    if name != _name or not _left:
        return
    _left -= 1
    if not _left:
        os.kill(os.getpid(), signal.SIGKILL)
