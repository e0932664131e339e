"""Restarts of ended services, each after a pause that grows while the service keeps ending."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ops.infrastructure.child import Child

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
STEADY = 60.0
"""Seconds after which the end of a process counts as the first again."""


@dataclass
class _Watched:
    child: Child
    launched: float
    pause: float = FIRST_PAUSE
    due: float | None = None
    """Time of the next start; None while it runs."""


class Restarts:
    """Watches running processes, and starts those that ended again."""

    def __init__(
        self,
        children: Sequence[Child],
        report: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._clock = clock
        self._watched = [_Watched(child, clock()) for child in children]

    def check(self) -> None:
        """Start the processes that are due, and note those that have ended. Returns at once."""
        for watched in self._watched:
            if watched.due is None:
                if not watched.child.running:
                    self._note_end(watched)
            elif self._clock() >= watched.due:
                watched.child.launch()
                watched.launched, watched.due = self._clock(), None
                self._report(f"{watched.child.name} is started again: pid {watched.child.pid}.")

    def _note_end(self, watched: _Watched) -> None:
        now, child = self._clock(), watched.child
        if now - watched.launched >= STEADY:
            watched.pause = FIRST_PAUSE
        self._report(
            f"{child.name} ended with code {child.exit_code}. It is started again in "
            f"{watched.pause:.0f} s. Its log: {child.log}"
        )
        watched.due = now + watched.pause
        watched.pause = min(watched.pause * 2, LONGEST_PAUSE)
