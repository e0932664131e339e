"""Call numbers sort as copies stand on the shelves."""

import random

import pytest

from services.circulation.rules.call_number import CallNumber, shelf_order

SHELVES = {
    "ddc": [
        "5 ANT",
        "005.133 PYT",
        "5.2 ZEN",
        "82 SAD",
        "823 AUS",
        "823.8 DIC",
        "823.91 R29",
        "823.91 R3",
        "823.914 ROW v.2",
        "823.914 ROW v. 9",
        "823.914 ROW v.10",
        "823.92 ADA",
        "J 5 ANT",
        "J 823.9 DAH",
    ],
    "lcc": [
        "B72 .R8 1945",
        "HD9502.5 .A2",
        "Q76 .A1",
        "QA7 .B3",
        "QA76.73 .P98 L88 2009",
        "QA76.73 .P98 L9 2003",
        "QA76.9 .D3",
        "QA760 .A1",
    ],
    "ccl": ["7.1 2", "857.63 8347", "857.7 1046"],
    "other": ["DVD 9", "DVD 10", "DVD 10 A", "Game 2"],
}


@pytest.mark.parametrize("scheme", SHELVES)
def test_call_numbers_sort_as_they_stand_on_the_shelves(scheme: str) -> None:
    shelf = SHELVES[scheme]
    mixed = random.Random(7).sample(shelf, len(shelf))  # noqa: S311
    assert sorted(mixed, key=lambda one: shelf_order(CallNumber(one, scheme))) == shelf


def test_spacing_and_case_of_a_label_do_not_change_its_place() -> None:
    orders = {shelf_order(CallNumber(one)) for one in ("823.9  row", "823.9 ROW ", "８２３.9 Row")}
    assert orders == {"823.9 ROW"}
