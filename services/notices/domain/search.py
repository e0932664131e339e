"""Search terms: the parts of texts in three languages that an index finds."""

import re

from shared.search_form import UNSPACED, search_form

MOST_WORDS = 8
"""Number of words of a search that count. Long words select best, so the longest count."""
MOST_LETTERS = 40
"""Number of letters of a term; longer ones are cut."""

_RUNS = re.compile(f"[{UNSPACED}]+|[^\\W{UNSPACED}]+")


def terms_of(*texts: str) -> tuple[str, ...]:
    """Return the distinct terms of texts, in their search form.

    A word is a term. Chinese is written without spaces, so each character with the one after it is
    a term. A search word matches the beginning of a term.
    """
    terms: dict[str, None] = {}
    for run in _runs(" ".join(texts)):
        starts = range(len(run)) if _is_unspaced(run) else (0,)
        size = 2 if _is_unspaced(run) else MOST_LETTERS
        terms.update(dict.fromkeys(run[start : start + size] for start in starts))
    return tuple(terms)


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a search that count; of Chinese, pairs of characters."""
    words: dict[str, None] = {}
    for run in _runs(text):
        if _is_unspaced(run) and len(run) > 1:
            words.update(dict.fromkeys(run[at : at + 2] for at in range(len(run) - 1)))
        else:
            words[run[:MOST_LETTERS]] = None
    return tuple(sorted(words, key=len, reverse=True)[:MOST_WORDS])


def _runs(text: str) -> list[str]:
    return _RUNS.findall(search_form(text))


def _is_unspaced(run: str) -> bool:
    return bool(re.match(f"[{UNSPACED}]", run))
