"""The commits of a process, for a background task that waits for work."""

import asyncio
import contextlib


class Commits:
    """Counts the commits of this process. All its methods belong to the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def add(self) -> None:
        """Count a commit, and wake those who wait for one."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    async def after(self, count: int, seconds: float) -> None:
        """Wait until there have been more than `count` commits, but at most some seconds."""
        if self.count == count:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._next.wait()
