"""Titles of the catalogue, and how they are searched."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.circulation.refusals import TooManyCopies
from services.circulation.rules.call_number import shelf_order
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.record import EMPTY, Record, isbn_of_ten, normal_isbn
from shared.search_form import UNSPACED, search_form


@dataclass(frozen=True, slots=True)
class Title:
    """A work in the catalogue."""

    id: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None = None
    kind: str = "book"
    """Its format: see FORMATS."""
    version: int = 1
    control_number: str | None = None
    """Id in the system that the title was imported from; None: it was catalogued here."""
    record: Record = EMPTY
    work_id: str | None = None
    """Work of which the title is one edition; None: it is the only one. It begins with
    WORK_PREFIX, so that no title has the same id, and is never guessed from other fields."""

    @property
    def queue_id(self) -> str:
        """Id of the queue of its holds: that of its work, else its own."""
        return self.work_id or self.id


FORMATS = (
    "book",
    "large-print",
    "audiobook",
    "video",
    "music",
    "periodical",
    "map",
    "score",
    "picture",
    "software",
    "game",
    "device",
    "kit",
    "object",
    "manuscript",
    "other",
)
"""Kinds of titles that an import gives and the pages name; a library may have others."""


AGENCY = "Carrel"
"""The agency (MARC 003) of titles that were catalogued here; their number there is their id."""
WORK_PREFIX = "w-"
MOST_COPIES = 5000
"""Most copies that one title may have. Its event lists all of them and has to fit a message."""


def check_copies(count: int) -> None:
    """Raise TooManyCopies if a title may not have this many copies."""
    if count > MOST_COPIES:
        raise TooManyCopies(most=MOST_COPIES)


def next_version(title: Title) -> Title:
    """Return the title with the next version, after a change of it or of its copies."""
    return replace(title, version=title.version + 1)


def amend(title: Title, changes: Mapping[str, Any]) -> Title:
    """Return the title with these fields changed; the same value if nothing differs.

    Changes of its record are a mapping of that record's fields.
    """
    changes = dict(changes)
    if "record" in changes:
        changes["record"] = replace(title.record, **changes["record"])
    amended = replace(title, **changes)
    return title if amended == title else next_version(amended)


def words_of(text: str) -> tuple[str, ...]:
    """Return the distinct words of a query or a title, in their search form."""
    return tuple(dict.fromkeys(re.findall(r"\w+", search_form(text))))


def sought(text: str) -> tuple[str, ...]:
    """Return the search words: an ISBN in its normal form, or the MOST_WORDS longest words."""
    try:
        return (normal_isbn(text),)
    except ValueError:
        words = (word[:MOST_LETTERS] for word in words_of(text))
        return tuple(sorted(words, key=len, reverse=True)[:MOST_WORDS])


def search_terms(title: Title) -> tuple[str, ...]:
    """Return the terms by which a title is found; a search word matches the beginning of a term.

    Chinese is written without spaces: each character begins a term, so that any part of a title is
    the beginning of one.
    """
    terms: dict[str, None] = {}
    isbns = {title.isbn, *(one.value for one in title.record.identifiers if one.scheme == "isbn")}
    tens = [isbn_of_ten(isbn) or "" for isbn in isbns if isbn]
    texts = (title.title, *title.authors, title.isbn or "", *title.record.words(), *sorted(tens))
    for word in words_of(" ".join(texts)):
        spaced = word.isascii() or not _UNSPACED.search(word)
        starts = (0,) if spaced else range(len(word))
        terms.update(dict.fromkeys(word[start : start + MOST_LETTERS] for start in starts))
    return tuple(terms)


MOST_WORDS = 8
"""Most words of a search. Each adds a condition on every title, and long words select best."""
MOST_LETTERS = 40
"""Most characters of a search term; longer ones are cut."""
_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True)
class BranchStock:
    """A title's copies at one branch."""

    branch: str
    copies: int
    available: int
    call_number: str | None = None
    """The first of theirs in the order of the shelves; None: none has one."""


@dataclass(frozen=True)
class VolumeStock:
    """A title's copies of one volume."""

    volume: str
    copies: int
    available: int


def volumes(copies: Iterable[Copy]) -> list[VolumeStock]:
    """Count the copies and the available copies by volume, in the order of the volumes."""
    counted: dict[str, list[bool]] = {}
    for copy in copies:
        if copy.volume is not None:
            counted.setdefault(copy.volume, []).append(copy.state is CopyState.AVAILABLE)
    return [
        VolumeStock(volume, len(counted[volume]), sum(counted[volume]))
        for volume in sorted(counted, key=volume_key)
    ]


def needs_volume(copies: Collection[Copy]) -> bool:
    """Return whether a hold on a title has to name a volume, because each of its copies is one."""
    return bool(copies) and all(copy.volume is not None for copy in copies)


def volume_key(volume: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key: `v. 2` comes before `v. 10`, 第二冊 before 第十冊, 上冊 before 下冊."""
    text = unicodedata.normalize("NFKC", volume).casefold().translate(_PARTS)
    found = re.findall(rf"[0-9]+|[{_NUMERALS}]+|[^0-9{_NUMERALS}]+", text)
    return tuple((_number(part), "") if _number(part) else (0, part) for part in found)


def _number(text: str) -> int:
    """Return the number that digits or Chinese numerals up to 99 write; 0 for other text."""
    if text.isdecimal():
        return int(text)
    if not set(text) <= set(_NUMERALS):
        return 0
    tens, ten, units = text.rpartition("十")
    digits = [_NUMERALS.index(one) for one in (tens or "一", units or "〇") if len(one) == 1]
    return digits[0] * 10 + digits[1] if ten and len(digits) == 2 else _NUMERALS.index(text[-1])


_NUMERALS = "〇一二三四五六七八九十"
_PARTS = str.maketrans("上中下", "一二三")


def stock(copies: list[Copy]) -> list[BranchStock]:
    """Count the copies and the available copies by the branch that owns them."""
    by_branch: dict[str, list[Copy]] = {}
    for copy in sorted(copies, key=lambda copy: copy.branch_code):
        by_branch.setdefault(copy.branch_code, []).append(copy)
    return [
        BranchStock(
            branch,
            len(here),
            sum(copy.state is CopyState.AVAILABLE for copy in here),
            _first_number(here),
        )
        for branch, here in by_branch.items()
    ]


def _first_number(copies: Iterable[Copy]) -> str | None:
    records = (copy.record for copy in copies if copy.state is not CopyState.WITHDRAWN)
    numbers = [record.call_number for record in records if record and record.call_number]
    return min(numbers, key=shelf_order).number if numbers else None
