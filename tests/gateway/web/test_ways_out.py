"""The ways out of a refusal read as one sentence in each language."""

from typing import Any

import pytest

from services.gateway.web.languages import LANGUAGES
from services.gateway.web.ways_out import sentence

RETURN = {"do": "return", "items": 1, "loan_ids": ["l1"], "any_item": True}
PAY = {"do": "pay", "cents": 330}


def ways(*steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"steps": each} for each in steps]


@pytest.mark.parametrize(
    ("language", "goal", "given", "text"),
    [
        (
            "en",
            "borrow",
            ways([RETURN], [PAY]),
            "Return one item, or pay $3.30, then you can borrow it.",
        ),
        ("zh-Hant", "borrow", ways([RETURN], [PAY]), "請歸還一件資料，或繳付$3.30，便可借閱。"),
        ("zh-Hans", "borrow", ways([RETURN], [PAY]), "请归还一件资料，或缴付$3.30，便可借阅。"),
        ("en", "lend", ways([RETURN, PAY]), "Return one item and pay $3.30, then it can be lent."),
        (
            "en",
            "lend",
            ways([{**RETURN, "items": 2, "any_item": False}]),
            "Return the 2 items with the lowest fines, then it can be lent.",
        ),
        (
            "en",
            "renew",
            ways([{"do": "wait", "until": "2020-12-09"}]),
            "Wait until 9 December 2020, then you can renew it.",
        ),
        (
            "en",
            "reserve",
            ways([{"do": "choose-branch", "branch": "LFU"}, RETURN]),
            (
                "Choose another pick-up library, such as Lei Fu and return the copy that you have, "
                "then you can reserve it."
            ),
        ),
        ("en", "reserve", ways([{"do": "ask", "ask": "staff"}]), "Please ask the staff."),
        ("en", "lend", ways([{"do": "ask", "ask": "staff"}]), ""),
        ("en", "renew", [], ""),
    ],
)
def test_ways_out_are_told_in_a_sentence(
    language: str, goal: str, given: list[dict[str, Any]], text: str
) -> None:
    assert sentence(LANGUAGES[language], given, goal, {"LFU": "Lei Fu"}) == text
