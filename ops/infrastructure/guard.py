"""End the registered processes when standard input closes, that is, when their parent is gone.

`child.py` runs it as a separate script: even `kill -9` of the parent leaves nothing running.
Standard input has one line for each change: `+PID` to watch a process group, `-PID` to forget it.
"""

import os
import signal
import sys
import time

PATIENCE = 8.0
"""Seconds between SIGTERM and SIGKILL: enough for a clean shutdown of the database."""


def alive(group: int) -> bool:
    """Return whether any process of the group still exists."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def signal_all(groups: set[int], number: signal.Signals) -> None:
    """Send `number` to each group; groups that no longer exist are ignored."""
    for group in groups:
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            continue


def main() -> None:
    """Watch until standard input ends, then end the watched groups."""
    watched: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            watched.add(group)
        else:
            watched.discard(group)
    signal_all(watched, signal.SIGTERM)
    signal_all(watched, signal.SIGCONT)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and any(map(alive, watched)):
        time.sleep(0.05)  # they are not our children, so wait() can't be used
    signal_all(watched, signal.SIGKILL)


if __name__ == "__main__":
    main()
