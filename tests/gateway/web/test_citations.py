"""A title is cited in two styles, with what its record has."""

from typing import Any

import pytest

from services.gateway.web.holds.citation import citations

EMPTY: dict[str, Any] = {"publisher": None, "edition": None, "year": None}
FULL = {"publisher": "Secker & Warburg", "edition": "2nd ed.", "year": 1949}


@pytest.mark.parametrize(
    ("authors", "record", "apa", "mla"),
    [
        (
            ["Orwell, George"],
            FULL,
            "Orwell, George. (1949). 1984 (2nd ed.). Secker & Warburg.",
            "Orwell, George. 1984. 2nd ed., Secker & Warburg, 1949.",
        ),
        (
            ["Lui, Tai-lok", "Chiu, Stephen"],
            EMPTY,
            "Lui, Tai-lok & Chiu, Stephen. (n.d.). 1984.",
            "Lui, Tai-lok, and Chiu, Stephen. 1984.",
        ),
        (
            ["A, B.", "C, D.", "E, F."],
            EMPTY,
            "A, B, C, D & E, F. (n.d.). 1984.",
            "A, B, et al. 1984.",
        ),
        ([], EMPTY, "(n.d.). 1984.", "1984."),
    ],
)
def test_a_title_is_cited(authors: list[str], record: dict[str, Any], apa: str, mla: str) -> None:
    title = {"title": "1984", "authors": authors, "record": record}
    assert citations(title) == {"APA": apa, "MLA": mla}
