"""Serve the waiting holds of many titles, each title in its own transaction."""

from collections.abc import Collection
from datetime import date

from services.circulation import store
from services.circulation.usecases.commands.serve_title import ServeTitle, serve_title
from shared.unit_of_work import Run

TITLES_AT_ONCE = 200
"""Number of titles that one query checks for free copies."""


async def serve_waiting(run: Run, on: date, *, patron_id: str | None = None) -> int:
    """Serve the titles that have waiting holds; return how many holds got a copy.

    Each title has its own transaction. `patron_id` selects the titles that one patron waits for;
    None: all. A run that is begun again finds only what is left to do.
    """
    done = 0
    batch: list[str] = []
    async for title_id in store.holds.waited_for(run.database, patron_id=patron_id):
        batch.append(title_id)
        if len(batch) == TITLES_AT_ONCE:
            done += await serve_titles(run, batch, on)
            batch.clear()
    return done + await serve_titles(run, batch, on)


async def serve_titles(run: Run, title_ids: Collection[str], on: date) -> int:
    """Serve some titles like `serve_waiting`; return how many holds got a copy."""
    free = await store.titles.with_free_copies(run.database, title_ids)
    return sum([await run(serve_title, ServeTitle(title_id, on)) for title_id in free])
