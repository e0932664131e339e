"""Searches: the index of this process, kept up to date, and the titles that it finds."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pymongo
import structlog
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from services.circulation.catalogue import store as catalogue_store
from services.circulation.holds import store as holds_store
from services.circulation.loans.store import loans as loans_store
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.title import Title, sought, words_of
from services.circulation.search.rules import (
    SHORTEST,
    Facets,
    Search,
    Sort,
    corrected,
    entry_of,
    nearest,
    number_in_words,
)
from services.circulation.search.store import SEARCH_SECONDS, Found, TitleIndex
from services.circulation.settings import Settings
from shared.clock import SKEW_SECONDS, wall_clock
from shared.deadlines import allowed
from shared.ids import time_of
from shared.mongo import Database, SnapshotQuery
from shared.unit_of_work import Busy

log = structlog.get_logger()
R = TypeVar("R")

FRESH_SECONDS = 1.0
"""Age of the index from which a search lets it be brought up to date."""
STALE_SECONDS = 3.0
"""Age from which a search also waits for that, but not longer than PATIENCE_SECONDS."""
PATIENCE_SECONDS = 0.3
QUIET_SECONDS = 600.0
"""Time after which changes are read even if nobody searches, so that they never become many."""
OVERLAP = timedelta(seconds=2 * SKEW_SECONDS)
"""Time before the last look of which changes are read again.

A change has the time of its write, by the clock of its process; it can be read after its commit.
"""
NEVER = datetime.min.replace(tzinfo=UTC)
AWAY_SECONDS = 0.5
"""Pause while the database is away."""
AT_ONCE = 500
"""Titles that are read and put into the index at once."""
VERY_MANY = 100_000
"""Titles found from which the counts of a search are kept, for KEPT_SECONDS: to count takes long.

The duration would not tell: on a busy machine it would also keep small counts, which soon change.
"""
KEPT_SECONDS = 60.0
MOST_KEPT = 200
LATEST_LOANS = 10_000
"""Loans of which the most borrowed titles are counted."""
LEAST_LOANS = 3
"""Loans from which on a title is shown as much borrowed: fewer could point to one person."""
MOST_BORROWED = 50
BORROWED_SECONDS = 600.0
"""Time for which the most borrowed titles are kept."""
_THREADS = 2


@dataclass(frozen=True)
class FoundTitle:
    """A title with its copies, both as they are now."""

    title: Title
    copies: list[Copy]
    waiting: int
    """Number of holds that wait for it or a volume of it; 0 while a copy is available."""


class CatalogueView:
    """The index of this process and the time up to which it has all changes.

    Changes are read when a search asks for them, so a check-out costs nothing here while nobody
    searches.
    """

    def __init__(self, database: Database, folder: Path | None) -> None:
        self._database = database
        self._index = TitleIndex(folder)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="search")
        self._cursor = self._index.cursor or NEVER
        self._seen: set[catalogue_store.Change] = set()
        """Changes within OVERLAP before the cursor that the index has."""
        self._looked_at = 0.0
        """Begin of the last look, by the clock of the event loop."""
        self._is_wanted = asyncio.Event()
        self._is_fresh = asyncio.Event()
        self._counts: dict[Search, tuple[float, Facets]] = {}
        self._borrowed: tuple[float, list[str]] = (-BORROWED_SECONDS, [])
        self._lock = asyncio.Lock()
        """Held by the one that changes the index."""
        self._is_built = asyncio.Event()

    async def keep_fresh(self) -> None:
        """Build the index if it has not been built; then read changes when a search asks for it."""
        if self._cursor == NEVER:
            await self._build()
        self._is_built.set()
        while True:
            await self.refresh()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._is_wanted.wait()

    async def refresh(self) -> None:
        """Put all changes that were committed before this call into the index, once it is built."""
        await self._is_built.wait()
        async with self._lock:
            self._is_wanted.clear()
            began, now = asyncio.get_running_loop().time(), wall_clock()
            changed = await self._put_changes(now - OVERLAP)
            if changed:
                await asyncio.to_thread(self._index.commit, now)
            self._cursor, self._looked_at = now, began
            self._is_fresh.set()

    async def _put_changes(self, next_from: datetime) -> int:
        """Put the titles that changed; return their number. The next look is from a later time."""
        seen: set[catalogue_store.Change] = set()
        changed: dict[str, None] = {}
        async for change in catalogue_store.find_changes(self._database, self._cursor - OVERLAP):
            if change not in self._seen:
                changed[change.title_id] = None
            if change.at >= next_from:
                seen.add(change)
        ids = list(changed)
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            titles = await catalogue_store.find_titles(self._database, some)
            await self._put(list(titles.values()))
        self._seen = seen
        return len(changed)

    async def _build(self) -> None:
        now = wall_clock()
        await asyncio.to_thread(self._index.clear)
        count, after = 0, ""
        while True:
            query = SnapshotQuery(after=after)
            titles, more = await catalogue_store.find_page(self._database, query)
            await self._put(titles)
            count += len(titles)
            if more is None:
                break
            after = more
        await asyncio.to_thread(self._index.commit, now)
        self._cursor = now
        log.info("search index built", titles=count, seconds=(wall_clock() - now).seconds)

    async def _put(self, titles: Sequence[Title]) -> None:
        copies = await catalogue_store.find_copies(self._database, [one.id for one in titles])
        # The entries are made in the thread that puts them.
        entries = (entry_of(one, copies[one.id], _catalogued(one)) for one in titles)
        await asyncio.to_thread(self._index.put, entries)

    async def search(
        self, search: Search, *, limit: int, offset: int, counted: bool
    ) -> tuple[Found, Facets | None]:
        """Return some of the titles found, and with `counted` all of them by facet.

        Raises Busy if the index is being built, or if it takes longer than SEARCH_SECONDS.
        """
        try:
            async with asyncio.timeout(allowed(SEARCH_SECONDS)):
                await self._be_fresh()
                found = self._run(partial(self._index.search, search, limit=limit, offset=offset))
                if not counted:
                    return await found, None
                return await asyncio.gather(found, self._count(search))
        except TimeoutError:
            raise Busy from None

    async def most_borrowed(self) -> list[str]:
        """Return the ids of the titles that were borrowed most lately, the most frequent first."""
        counted_at, ids = self._borrowed
        now = asyncio.get_running_loop().time()
        if now - counted_at >= BORROWED_SECONDS:
            # Requests of this moment get the former titles, so that one of them counts.
            self._borrowed = (now, ids)
            with pymongo.timeout(allowed(SEARCH_SECONDS)):
                counts = await loans_store.count_titles(self._database, LATEST_LOANS)
            most = counts.most_common(MOST_BORROWED)
            ids = [title_id for title_id, loans in most if loans >= LEAST_LOANS]
            self._borrowed = (now, ids)
        return ids

    async def correction(self, search: Search) -> str | None:
        """Return the words that were perhaps meant by a search that found too little, or None.

        Each word that no title has is replaced by the nearest that one has, and a number by its
        words. Titles have to match the result.
        """
        try:
            async with asyncio.timeout(allowed(SEARCH_SECONDS)):
                words = {
                    word: meant
                    for word in sought(search.q)
                    if (meant := number_in_words(word) or await self._nearest(word))
                }
                if not words:
                    return None
                text = corrected(search.q, words)
                found = await self._run(partial(self._index.count, replace(search, q=text)))
                return text if found else None
        except TimeoutError:
            return None

    async def _nearest(self, word: str) -> str | None:
        """Return the nearest word of a title, if no title has a word that begins with this one."""
        if len(word) < SHORTEST or not word.isalpha():
            return None
        if await self._run(partial(self._index.count, Search(q=word))):
            return None
        near = await self._run(partial(self._index.near, word))
        titles = (await catalogue_store.find_titles(self._database, near)).values()
        texts = [text for one in titles for text in (one.title, *one.authors, *one.record.words())]
        return nearest(word, words_of(" ".join(texts)))

    async def _be_fresh(self) -> None:
        age = asyncio.get_running_loop().time() - self._looked_at
        if age > FRESH_SECONDS:
            self._is_fresh.clear()
            self._is_wanted.set()
        if age > STALE_SECONDS:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._is_fresh.wait()
        if not self._is_built.is_set():
            raise Busy

    async def _count(self, search: Search) -> Facets:
        search = replace(search, sort=Sort.RELEVANCE)
        now = asyncio.get_running_loop().time()
        kept_at, kept = self._counts.get(search, (0.0, None))
        if kept and now - kept_at < KEPT_SECONDS:
            return kept
        counts = await self._run(partial(self._index.facets, search))
        if sum(counts.formats.values()) >= VERY_MANY:
            if len(self._counts) >= MOST_KEPT:
                self._counts.clear()
            self._counts[search] = (now, counts)
        return counts

    def _run(self, read: Callable[[], R]) -> Awaitable[R]:
        return asyncio.get_running_loop().run_in_executor(self._pool, read)


def _catalogued(title: Title) -> int:
    """Return when the title was catalogued, in seconds since 1970: its id has that time."""
    made = time_of(title.id)
    return int(made.timestamp()) if made else 0


async def with_copies(db: Database, titles: Sequence[Title]) -> list[FoundTitle]:
    """Return titles with their copies as they are now."""
    copies = await catalogue_store.find_copies(db, [title.id for title in titles])
    out = [
        one for one in copies if all(copy.state is not CopyState.AVAILABLE for copy in copies[one])
    ]
    waiting = await holds_store.count_waiting(db, out)
    return [FoundTitle(title, copies[title.id], waiting.get(title.id, 0)) for title in titles]


def prepare(app: FastAPI) -> None:
    """Open the index of this process, at its start."""
    settings: Settings = app.state.settings
    if "api" in settings.roles:
        folder = settings.search_folder
        own = Path(folder) / settings.replica if folder else None
        app.state.catalogue_view = CatalogueView(app.state.database, own)


async def keep_fresh(app: FastAPI) -> None:
    """Keep the index of a process that answers requests up to date, until cancelled."""
    while "api" in app.state.settings.roles:
        view: CatalogueView = app.state.catalogue_view
        try:
            await view.keep_fresh()
        except PyMongoError as error:
            log.warning("search index is not kept up to date", error=type(error).__name__)
        await asyncio.sleep(AWAY_SECONDS)
    await asyncio.Event().wait()
