"""The index of the catalogue: a view of titles and copies in this process, made with tantivy.

It can be thrown away: it is built anew from the database (docs/decisions/243), which answers what
staff have just catalogued.
"""

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pymongo
import structlog
import tantivy
from tantivy import FieldType, Index, Occur, Order, Query

from services.circulation.rules.title import Title, sought
from services.circulation.search.rules import (
    ANYWHERE,
    FILTERS,
    WORDS,
    Entry,
    Facets,
    Search,
    Sort,
    sort_key,
    sought_tokens,
)
from shared import reading
from shared.deadlines import allowed
from shared.mongo import Database

log = structlog.get_logger()

MOST_FOUND = 10_000
"""Titles of a search that can be paged through."""
SEARCH_SECONDS = 0.7
"""Time limit of a search in the database, in seconds: about half that of other reads."""
_HEAP = 32_000_000
"""Bytes of the writer's memory."""
_CURSOR = "cursor.json"
_LONG_WORD = 7
_MOST_NEAR = 20
"""Titles that are looked at for the right spelling of a word."""
_MOST_CODES = 500
"""Values of a facet that are counted, the most frequent ones."""
_CODES = (*FILTERS, "available")
_KEYS = ("id", "title_key", "author_key")
_NUMBERS = ("year", "catalogued")
_ORDERS: Mapping[Sort, tuple[str, Order]] = {
    Sort.TITLE: ("title_key", Order.Asc),
    Sort.AUTHOR: ("author_key", Order.Asc),
    Sort.NEWEST: ("catalogued", Order.Desc),
    Sort.YEAR: ("year", Order.Desc),
}
_BOOSTS = {"title": 4.0, "author": 3.0, "subject": 1.5, "series": 1.0}
"""Weight of a whole word in each part; one that is found at all has that of its beginning."""
_SAME_TITLE = 50.0


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in ("words", *WORDS):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    for name in (*_KEYS, *_CODES):
        builder.add_text_field(
            name, stored=name == "id", fast=True, tokenizer_name="raw", index_option="basic"
        )
    for name in _NUMBERS:
        builder.add_unsigned_field(name, indexed=True, fast=True)
    return builder.build()


SCHEMA = _schema()


@dataclass(frozen=True)
class Found:
    """The ids of a part of the titles that a search finds, and how many it finds in all."""

    ids: Sequence[str]
    total: int


class TitleIndex:
    """The index in a folder, or in memory if there is none. Its methods block their thread.

    One thread may change it while others search.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._index, self._writer = _opened(folder)

    @property
    def cursor(self) -> datetime | None:
        """The time up to which the index has all changes; None: it has to be built."""
        if self._folder is None or not (self._folder / _CURSOR).exists():
            return None
        text: str = json.loads((self._folder / _CURSOR).read_text())
        return datetime.fromisoformat(text)

    def put(self, entries: Iterable[Entry]) -> None:
        """Replace the entries of these titles; a search finds them after `commit`."""
        for entry in entries:
            self._writer.delete_documents_by_term("id", entry.id)
            self._writer.add_document(_document(entry))

    def clear(self) -> None:
        """Remove all entries."""
        self._writer.delete_all_documents()

    def commit(self, cursor: datetime) -> None:
        """Let searches find what was put; the index has all changes up to `cursor`."""
        self._writer.commit()
        self._index.reload()
        if self._folder is not None:
            (self._folder / _CURSOR).write_text(json.dumps(cursor.isoformat()))

    def search(self, search: Search, *, limit: int, offset: int) -> Found:
        """Return the titles from `offset` on, at most `limit`, in the order of the search."""
        searcher = self._index.searcher()
        order: dict[str, Any] = {}
        if search.sort in _ORDERS:
            order["order_by_field"], order["order"] = _ORDERS[search.sort]
        result = searcher.search(_query(search), limit=limit, offset=offset, **order)
        ids = [str(searcher.doc(address)["id"][0]) for _, address in result.hits]
        return Found(ids, int(result.count or 0))  # type: ignore[attr-defined]

    def count(self, search: Search) -> int:
        """Return the number of titles that a search finds."""
        return int(self._index.searcher().search(_query(search), limit=1).count or 0)  # type: ignore[attr-defined]

    def near(self, word: str) -> list[str]:
        """Return the ids of titles that have a word that differs from this one by 1 or 2 letters.

        One letter is changed, missing or too many, or two are exchanged; in words of seven letters
        and more this may be so twice.
        """
        changes = 1 if len(word) < _LONG_WORD else 2
        query = Query.fuzzy_term_query(SCHEMA, "words", word, changes)
        searcher = self._index.searcher()
        hits = searcher.search(query, limit=_MOST_NEAR, count=False).hits
        return [str(searcher.doc(address)["id"][0]) for _, address in hits]

    def facets(self, search: Search) -> Facets:
        """Count all titles that a search finds by each facet."""
        terms = {name: {"terms": {"field": name, "size": _MOST_CODES}} for name in _CODES}
        years = {"year": {"histogram": {"field": "year", "interval": 10, "min_doc_count": 1}}}
        counts = self._index.searcher().aggregate(_query(search), {**terms, **years})
        by_code = {
            name: {str(each["key"]): int(each["doc_count"]) for each in counts[name]["buckets"]}
            for name in _CODES
        }
        return Facets(
            branches=by_code["branch"],
            available=by_code["available"].get(search.branch or ANYWHERE, 0),
            formats=by_code["format"],
            languages=by_code["language"],
            decades={int(one["key"]): int(one["doc_count"]) for one in counts["year"]["buckets"]},
            audiences=by_code["audience"],
        )


def _opened(folder: Path | None) -> tuple[Index, tantivy.IndexWriter]:
    """Open the index in a folder; one that is broken or has another form is begun anew."""
    if folder is None:
        return _with_writer(Index(SCHEMA))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _with_writer(Index(SCHEMA, path=str(folder)))
    except (ValueError, OSError) as error:
        log.warning("search index is built anew", error=type(error).__name__)
        shutil.rmtree(folder)
        folder.mkdir()
        return _with_writer(Index(SCHEMA, path=str(folder)))


def _with_writer(index: Index) -> tuple[Index, tantivy.IndexWriter]:
    return index, index.writer(heap_size=_HEAP, num_threads=1)


def _document(entry: Entry) -> tantivy.Document:
    document = tantivy.Document()
    for field in fields(entry):
        value = getattr(entry, field.name)
        if isinstance(value, int):
            document.add_unsigned(field.name, value)
        else:
            for text in (value,) if isinstance(value, str) else value or ():
                if text:
                    document.add_text(field.name, text)
    return document


def _query(search: Search) -> Query:
    """Return the query of a search. Filters have no weight in its order."""
    parts: list[tuple[Occur, Query]] = []
    for word in sought_tokens(search.q):
        parts.append((Occur.Must, _begins("words", word)))
        for name, boost in _BOOSTS.items():
            parts.append((Occur.Should, Query.boost_query(_whole(name, word), boost)))
    if key := sort_key(search.q):
        same = Query.term_query(SCHEMA, "title_key", key)
        parts.append((Occur.Should, Query.boost_query(same, _SAME_TITLE)))
    parts += [
        (Occur.Must, _begins(name, word))
        for name in WORDS
        for word in sought_tokens(getattr(search, name))
    ]
    filters = [_is(name, getattr(search, name)) for name in FILTERS if getattr(search, name)]
    if search.available:
        filters.append(_is("available", search.branch or ANYWHERE))
    if search.year_from is not None or search.year_to is not None:
        filters.append(_between("year", search.year_from, search.year_to))
    if search.since is not None:
        filters.append(_between("catalogued", search.since, None))
    parts += [(Occur.Must, Query.const_score_query(each, 0.0)) for each in filters]
    if not any(occur == Occur.Must for occur, _ in parts):
        parts.append((Occur.Must, Query.all_query()))
    return Query.boolean_query(parts)


def _begins(field: str, word: Sequence[str]) -> Query:
    """Match a word that begins with the one given; Chinese characters stand side by side."""
    if len(word) > 1 or len(word[0]) == 1:
        return _whole(field, word)
    return Query.boost_query(Query.regex_query(SCHEMA, field, f"{word[0]}.*"), 0.1)


def _whole(field: str, word: Sequence[str]) -> Query:
    if len(word) > 1:
        return Query.phrase_query(SCHEMA, field, list(word))
    return Query.term_query(SCHEMA, field, word[0])


def _is(field: str, code: str) -> Query:
    return Query.term_query(SCHEMA, field, code, index_option="basic")


def _between(field: str, least: int | None, most: int | None) -> Query:
    return Query.range_query(SCHEMA, field, FieldType.Unsigned, least, most)


async def find_catalogued(db: Database, text: str, limit: int, after: str | None) -> list[Title]:
    """Return up to `limit` + 1 titles that match a search, in the order of cataloguing.

    Anybody may search, so a search has a shorter time limit than other reads. When it runs out, the
    database counts as unavailable.
    """
    with pymongo.timeout(allowed(SEARCH_SECONDS)):
        return await reading.page(db, Title, "titles", matching(text), limit=limit, after=after)


def matching(text: str) -> dict[str, Any]:
    """Build the query for titles in which every word of `text` begins a term.

    The index finds the titles of the rarest word; the other words filter them.
    """
    if words := sought(text):
        return {"$and": [{"terms": {"$regex": f"^{re.escape(word)}"}} for word in words]}
    return {}
