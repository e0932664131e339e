"""Searches of the catalogue, and the entry by which a title is found. Pure functions and values."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.record import isbn_of_ten
from services.circulation.rules.title import MOST_LETTERS, Title, sought, words_of
from shared.search_form import UNSPACED, search_form


class Sort(StrEnum):
    """Order of the titles that a search finds."""

    RELEVANCE = "relevance"
    TITLE = "title"
    AUTHOR = "author"
    NEWEST = "newest"
    """The last catalogued first."""
    YEAR = "year"
    """The last published first."""


WORDS = ("title", "author", "subject", "series")
"""Parts of a record that have words of their own."""
FILTERS = ("branch", "format", "language", "audience")
"""Facets of a title that are one code or several."""
ANYWHERE = "*"
"""Library code of a title that is available at any library; no library has it."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search: a title has to match all that is given."""

    q: str = ""
    """Words of the title, authors, subjects or series, or a number such as an ISBN."""
    title: str = ""
    author: str = ""
    subject: str = ""
    series: str = ""
    branch: str = ""
    """Code of a library that has the title."""
    available: bool = False
    """Only titles of which a copy can be borrowed now, at `branch` if that is given."""
    format: str = ""
    language: str = ""
    audience: str = ""
    year_from: int | None = None
    year_to: int | None = None
    since: int | None = None
    """Only titles catalogued since then; in seconds since 1970."""
    sort: Sort = Sort.RELEVANCE


@dataclass(frozen=True, slots=True)
class Facets:
    """The titles that a search finds, counted by each facet."""

    branches: Mapping[str, int]
    """Titles that each library has."""
    available: int
    """Titles of which a copy can be borrowed now: at the branch of the search, else anywhere."""
    formats: Mapping[str, int]
    languages: Mapping[str, int]
    decades: Mapping[int, int]
    """Keyed by the first year of the decade of publication."""
    audiences: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """The index's part of a title. Texts are in the form of `indexed`."""

    id: str
    words: tuple[str, ...]
    """All texts by which it is found."""
    title: str
    author: str
    subject: str
    series: str
    title_key: str
    """Its place in the order of titles; equal to the `sort_key` of a search for all of it."""
    author_key: str
    branch: tuple[str, ...]
    available: tuple[str, ...]
    """Codes of the libraries where a copy can be borrowed now, and ANYWHERE."""
    format: str
    language: tuple[str, ...]
    audience: str
    year: int | None
    catalogued: int
    """Seconds since 1970."""


def entry_of(title: Title, copies: Sequence[Copy], catalogued: int) -> Entry:
    """Return the entry of a title with its copies; `catalogued` in seconds since 1970."""
    record = title.record
    here = {copy.branch_code for copy in copies if copy.state not in _GONE}
    free = {copy.branch_code for copy in copies if copy.state is CopyState.AVAILABLE}
    isbns = [title.isbn, *(each.value for each in record.identifiers if each.scheme == "isbn")]
    tens = [isbn_of_ten(isbn) or "" for isbn in isbns if isbn]
    texts = (title.title, *title.authors, *record.words(), title.isbn or "", *tens)
    others = " ".join(filter(None, (*record.other_titles, record.original_title)))
    return Entry(
        id=title.id,
        words=tuple(indexed(text) for text in texts if text),
        title=indexed(f"{title.title} {others}"),
        author=indexed(" ".join(title.authors)),
        subject=indexed(" ".join(record.subjects)),
        series=indexed(" ".join(each.title for each in record.series)),
        title_key=sort_key(title.title),
        author_key=sort_key(title.authors[0]) if title.authors else "",
        branch=tuple(sorted(here)),
        available=(*sorted(free), ANYWHERE) if free else (),
        format=title.kind,
        language=record.languages,
        audience=record.audience or "",
        year=record.year,
        catalogued=catalogued,
    )


_GONE = (CopyState.WITHDRAWN, CopyState.LOST)


def tokens(word: str) -> tuple[str, ...]:
    """Return the tokens of a word in its search form: each Chinese character is one."""
    return tuple(token[:MOST_LETTERS] for token in _TOKENS.findall(word))


_TOKENS = re.compile(f"[{UNSPACED}]|[^{UNSPACED}]+")


def indexed(text: str) -> str:
    """Return the tokens of a text with a space between each two."""
    return " ".join(token for word in words_of(text) for token in tokens(word))


def sought_tokens(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the tokens of each word of a search: those of one word stand side by side."""
    return tuple(tokens(word) for word in sought(text))


def sort_key(text: str) -> str:
    """Return the place of a title or a name in their order: without case, accents and articles.

    The English articles at the beginning are left out, as in catalogues (ALA Filing Rules, 1980).
    """
    return _ARTICLE.sub("", " ".join(re.findall(r"\w+", search_form(text))))[:60]


_ARTICLE = re.compile(r"^(?:the|an?) (?=.)")


SHORTEST = 4
"""Letters of the shortest word that may be a misspelling; of shorter ones too many are near."""


def corrected(text: str, words: Mapping[str, str]) -> str:
    """Return the text of a search with some words replaced; `words` are keyed by search form."""
    return re.sub(r"\w+", lambda word: words.get(search_form(word[0]), word[0]), text)


def nearest(word: str, among: Collection[str]) -> str | None:
    """Return the most similar of some words, in search form; None: none of them is similar."""
    return next(iter(get_close_matches(word, sorted({*among} - {word}), n=1, cutoff=0.7)), None)


def number_in_words(digits: str) -> str | None:
    """Return a number up to 9999 in English words, as in titles: `1984` is nineteen eighty four.

    None: it is no such number. Four digits are read in pairs, as years are.
    """
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 4):
        return None
    number = int(digits)
    hundreds, rest = divmod(number, 100)
    if number >= 1000 and hundreds % 10:
        end = _below_hundred(rest) if rest > 9 else f"hundred {_below_hundred(rest)}"
        return f"{_below_hundred(hundreds)} {end if rest else 'hundred'}"
    parts = [(number // 1000, "thousand"), (hundreds % 10, "hundred")]
    named = [f"{_below_hundred(count)} {name}" for count, name in parts if count]
    return " ".join([*named, *([_below_hundred(rest)] if rest or not named else [])])


def _below_hundred(number: int) -> str:
    if number < len(_SMALL):
        return _SMALL[number]
    tens, units = divmod(number, 10)
    return f"{_TENS[tens - 2]} {_SMALL[units]}" if units else _TENS[tens - 2]


_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
