"""ISBNs, and the search terms of a title."""

import pytest

from services.circulation.rules.record import normal_isbn
from services.circulation.rules.title import MOST_LETTERS, Title, search_terms, sought


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("978-0-06-112008-4", "9780061120084"),
        ("0 06 112008 1", "9780061120084"),
        ("080442957X", "9780804429573"),
        ("080442957x", "9780804429573"),
    ],
)
def test_every_spelling_of_an_isbn_is_stored_in_one_form(written: str, normal: str) -> None:
    assert normal_isbn(written) == normal


@pytest.mark.parametrize(
    "written", ["9780061120085", "0061120082", "978006112008", "X061120081", "9770061120084", ""]
)
def test_a_wrong_isbn_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="ISBN"):
        normal_isbn(written)


def test_a_title_is_found_by_word_prefixes_and_by_any_chinese_substring() -> None:
    title = Title("t1", "Les Misérables 悲慘世界", ("Victor Hugo",), "9780451419439")
    terms = search_terms(title)
    for query in ("miser", "MISÉRABLES", "hug", "978-0-451-41943-9", "慘世", "世界"):
        assert all(any(term.startswith(word) for term in terms) for word in sought(query)), query
    for query in ("erables", "慘界"):
        assert not all(any(term.startswith(word) for term in terms) for word in sought(query))


def test_a_search_uses_its_eight_longest_words_shortened_like_index_terms() -> None:
    words = sought(f"a bb ccc dddd eeeee ffffff ggggggg hhhhhhhh iiiiiiiii {'k' * 60}")
    assert len(words) == 8
    assert words[0] == "k" * MOST_LETTERS
    assert words[-1] == "ccc"
