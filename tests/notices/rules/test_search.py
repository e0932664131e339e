"""Search terms of texts in three languages."""

from services.notices.enquiries.rules.bank import MOST_LETTERS, MOST_WORDS, terms_of, words_of


def test_words_and_pairs_of_chinese_characters_are_terms() -> None:
    assert terms_of("Old Maps, old maps", "Café 1900") == ("old", "maps", "cafe", "1900")
    assert terms_of("舊地圖abc在") == ("旧地", "地图", "图", "abc", "在")


def test_each_search_word_begins_a_term_of_a_text_that_has_it() -> None:
    terms = terms_of("The harbour's plans", "海港地圖在六樓")
    for query in ("harb", "PLANS", "港地圖", "樓", "plan 地圖", "the六樓"):
        words = words_of(query)
        assert words, query
        assert all(any(term.startswith(word) for term in terms) for word in words), query
    for query in ("arbour", "圖地", "plan 五樓"):
        words = words_of(query)
        assert not all(any(term.startswith(word) for term in terms) for word in words), query


def test_a_search_has_limits() -> None:
    assert words_of("... -- ?") == ()
    assert words_of("x" * 60) == ("x" * MOST_LETTERS,)
    assert len(words_of("a bb ccc dddd eeeee ffffff ggggggg hhhhhhhh iiiiiiiii")) == MOST_WORDS
    assert len(words_of("海" * 3 + "港地圖在六樓一二三四五")) == MOST_WORDS
