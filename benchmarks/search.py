"""Searches of the catalogue with counts and order, at a million titles.

    .venv/bin/python -m benchmarks.search [--json] [--titles 1000000]

Titles are made up: words with the frequencies of Zipf's law in English and Chinese, subjects,
series, years, languages and formats, with one to four copies in 80 libraries, of which some are on
loan. They are written into the database as circulation stores them. A replica of circulation then
builds its index, and answers varied searches of one caller, each with counts: words of a title, one
word, the beginning of a word, an author, filters alone, new arrivals.
"""

import asyncio
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pymongo

from benchmarks.show import calls, machine, options, p95, serving, show
from ops.infrastructure.embedded import embedded
from ops.infrastructure.ports import LOOPBACK, reserve
from services.circulation.catalogue import store as catalogue_store
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.record import Record, Series
from services.circulation.rules.title import Title, search_terms
from shared.assertions import make_key
from shared.clock import wall_clock
from shared.ids import new_id
from shared.mongo import Database, Document, connect, plain

TITLES = 1_000_000
SEARCHES = 600
AT_ONCE = 2000
LIBRARIES = [f"L{number:02}" for number in range(80)]
SYLLABLES = [
    "ba",
    "ko",
    "ri",
    "ten",
    "lu",
    "mar",
    "sen",
    "vi",
    "do",
    "qua",
    "ph",
    "el",
    "ast",
    "ing",
    "er",
    "on",
    "th",
    "ch",
    "an",
    "is",
]


class Words:
    """Words that occur as often as their ranks say."""

    def __init__(self, words: Sequence[str], chance: random.Random) -> None:
        self._words, self._chance = words, chance
        self._weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))

    def some(self, count: int) -> list[str]:
        """Return some of the words."""
        return self._chance.choices(self._words, cum_weights=self._weights, k=count)


class Shelves:
    """Made-up titles, the same at each run."""

    def __init__(self) -> None:
        chance = self.chance = random.Random(7)  # noqa: S311 - no secret
        made = {"".join(chance.choices(SYLLABLES, k=chance.randint(2, 5))) for _ in range(150_000)}
        english, names = sorted(made), sorted(made)
        chance.shuffle(english)
        chance.shuffle(names)
        characters = [chr(code) for code in range(0x4E00, 0x4E00 + 6000)]
        chance.shuffle(characters)
        self.english, self.chinese = Words(english, chance), Words(characters, chance)
        self.names, self.subjects = Words(names, chance), Words(english[:20_000], chance)
        self.libraries = Words(LIBRARIES, chance)
        self.languages = Words(
            ["eng", "chi", "fre", "jpn", "ger", "kor", "spa", "tgl", "ind", "tha"], chance
        )
        self.formats = Words(
            ["book", "video", "audiobook", "music", "periodical", "map", "game"], chance
        )
        self.audiences = Words(["adult", "children", "young-adult"], chance)

    def title(self) -> tuple[Title, list[Copy]]:
        """Return a title with its copies."""
        [language] = self.languages.some(1)
        words = (self.chinese if language == "chi" else self.english).some(
            self.chance.randint(2, 8)
        )
        title = Title(
            new_id(),
            ("" if language == "chi" else " ").join(words),
            (" ".join(self.names.some(2)),),
            kind=self.formats.some(1)[0],
            record=Record(
                languages=(language,),
                year=2026 - min(int(self.chance.expovariate(0.05)), 300),
                subjects=(" ".join(self.subjects.some(2)), *self.subjects.some(1)),
                series=(Series(" ".join(self.subjects.some(2))),)
                if self.chance.random() < 0.2
                else (),
                audience=self.audiences.some(1)[0],
            ),
        )
        copies = []
        for library in self.libraries.some(self.chance.randint(1, 4)):
            number = new_id()
            state = CopyState.AVAILABLE if self.chance.random() < 0.7 else CopyState.ON_LOAN
            copies.append(Copy(number, title.id, number, "adult", library, state=state))
        return title, copies


def documents(title: Title, copies: Sequence[Copy]) -> tuple[Document, list[Document]]:
    """Return a title and its copies as circulation stores them."""
    stamp = {"changed_at": wall_clock() - timedelta(hours=1)}
    described = plain(title)
    described["record"] = {name: one for name, one in described["record"].items() if one}
    stored = {"_id": described.pop("id"), **described, "terms": search_terms(title), **stamp}
    stored["held_by"] = sorted({copy.branch_code for copy in copies})
    of_title = []
    for copy in copies:
        made = plain(copy)
        of_title.append({"_id": made.pop("id"), **made, **stamp})
    return stored, of_title


async def fill(database: Database, count: int) -> list[Title]:
    """Store titles and copies; return a sample of them. Indexes are made afterwards."""
    shelves, sample = Shelves(), []
    for start in range(0, count, AT_ONCE):
        titles, copies = [], []
        for number in range(start, min(start + AT_ONCE, count)):
            made = shelves.title()
            stored, of_title = documents(*made)
            titles.append(stored)
            copies += of_title
            if number % max(1, count // 3000) == 0:
                sample.append(made[0])
        await database.titles.insert_many(titles, ordered=False)
        await database.copies.insert_many(copies, ordered=False)
    return sample


def index(mongo_url: str) -> None:
    """Make the indexes, by a client that waits for as long as that takes."""
    with pymongo.MongoClient[Document](mongo_url) as client:
        for name, models in catalogue_store.INDEXES.items():
            if models:
                client["carrel_circulation"][name].create_indexes(list(models))


def searches(sample: Sequence[Title]) -> Iterator[Mapping[str, str]]:
    """Yield searches of several kinds, without end."""
    chance = random.Random(1)  # noqa: S311 - no secret
    while True:
        title = chance.choice(sample)
        words = title.title.split()
        word = chance.choice(words)
        author = title.authors[0].split()[0]
        yield from (
            {"q": " ".join(words[:2])},
            {"q": word, "sort": chance.choice(["title", "year", "newest"])},
            {"q": word[: chance.randint(2, 4)], "language": title.record.languages[0]},
            {"author": author, "format": title.kind},
            {"subject": title.record.subjects[0], "available": "true"},
            {"q": word, "branch": chance.choice(LIBRARIES), "available": "true"},
            {"branch": chance.choice(LIBRARIES), "sort": "newest"},
            {"q": f"{author} {word}", "year_from": "1990"},
        )


def replica(mongo_url: str, port: int, log: Path) -> AbstractContextManager[int]:
    """Run circulation with only the role api, as a process; yield its id."""
    environment = {
        "CARREL_MONGO_URL": mongo_url,
        "CARREL_PORT": str(port),
        "CARREL_OPERATIONS_PORT": str(reserve()),
        "CARREL_SERVICE_SECRET": "a secret of this benchmark",
        "CARREL_CARD_KEY": "a key of this benchmark",
        "CARREL_AUDIT_KEYS": "a key of this benchmark",
        "CARREL_SERVICE_KEY": make_key(),
    }
    return serving(["ops", "serve", "circulation", "--role", "api"], environment, log)


async def measure(folder: Path, count: int) -> Document:
    """Return the figures of a catalogue with this number of titles."""
    with embedded(folder, kafka=False, mongo_port=None) as infrastructure:
        client = connect(infrastructure.mongo_url)
        database = client["carrel_circulation"]
        sample = await fill(database, count)
        await asyncio.to_thread(index, infrastructure.mongo_url)
        port, log = reserve(), folder / "circulation.log"
        with replica(infrastructure.mongo_url, port, log) as pid:
            async with aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as session:
                began = time.perf_counter()
                while not await _answers(session):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)  # between looks, until the index is built
                built = time.perf_counter() - began
                found = await _searched(session, sample)
                memory = _megabytes(pid)
        client.close()
    return {
        "titles": count,
        "built_seconds": round(built, 1),
        "memory_mb": round(memory),
        **found,
    }


async def _answers(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/v1/titles?sort=title&limit=1") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def _searched(session: aiohttp.ClientSession, sample: Sequence[Title]) -> Document:
    totals: list[int] = []

    async def search(query: Mapping[str, str]) -> None:
        asked = {"limit": "20", "facets": "true", "sort": "relevance", **query}
        async with session.get("/v1/titles", params=asked) as response:
            assert response.status == 200, await response.text()  # noqa: S101
            totals.append((await response.json())["total"])

    varied = searches(sample)
    await calls(search, itertools.islice(varied, 20), 1)
    totals.clear()
    _, alone = await calls(search, itertools.islice(varied, SEARCHES), 1)
    _, together = await calls(search, itertools.islice(varied, SEARCHES), 4)
    return {
        "searches": len(totals),
        "found_median": statistics.median(totals),
        "found_most": max(totals),
        "p50_ms": round(statistics.median(alone), 1),
        "p95_ms": round(p95(alone), 1),
        "most_ms": round(max(alone), 1),
        "p95_ms_of_four_callers": round(p95(together), 1),
    }


def _megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    [kilobytes] = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return kilobytes / 1024


def main() -> None:
    """Measure and print."""
    given = options(titles=TITLES)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), given.titles))
    show({"searches": found, "machine": machine()}, as_json=given.json)


if __name__ == "__main__":
    main()
