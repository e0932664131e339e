"""The form in which texts are searched, and the stored terms of earlier releases."""

import asyncio

import pytest

from shared.folded_terms import fold_terms
from shared.search_form import search_form
from shared.unit_of_work import UnitOfWork


@pytest.mark.parametrize(
    "spellings",
    [
        ("紅樓夢", "红楼梦"),
        ("臺灣", "台灣", "台湾"),
        ("衞生", "衛生", "卫生"),
        ("裏面", "裡面", "里面"),
        ("看著", "看着"),
        ("羣眾", "群衆", "群众"),
        ("乾隆", "干隆"),
        ("Café", "CAFE\u0301", "cafe"),
    ],
    ids=lambda spellings: spellings[0],
)
def test_spellings_of_one_word_have_one_search_form(spellings: tuple[str, ...]) -> None:
    assert len({search_form(spelling) for spelling in spellings}) == 1


def test_the_form_of_a_part_is_a_part_of_the_form() -> None:
    whole = "乾隆皇帝與後宮"  # phrases keep the first character, which alone is simplified
    for start in range(len(whole)):
        assert search_form(whole[start:]) == search_form(whole)[start:]


async def test_terms_of_an_earlier_release_are_folded_once(unit_of_work: UnitOfWork) -> None:
    store = unit_of_work.database["books"]
    stored = [{"_id": f"{n:04}", "terms": ["紅樓夢", "红楼梦", "mist"]} for n in range(1200)]
    await store.insert_many([*stored, {"_id": "without"}])
    db = unit_of_work.database
    first, second = await asyncio.gather(fold_terms(db, "books"), fold_terms(db, "books"))
    assert first + second == len(stored)
    assert await store.distinct("terms") == ["mist", "红楼梦"]
    await store.insert_one({"_id": "late", "terms": ["紅樓夢"]})
    assert await fold_terms(db, "books") == 0
