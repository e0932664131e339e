"""The ways out of a refusal, in a sentence."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from services.gateway.web.languages import Language
from shared.translations import marked

GOALS = {
    "borrow": marked("%(ways)s, then you can borrow it."),
    "lend": marked("%(ways)s, then it can be lent."),
    "renew": marked("%(ways)s, then you can renew it."),
    "renew-reader": marked("%(ways)s, then it can be renewed."),
    "reserve": marked("%(ways)s, then you can reserve it."),
}
"""Sentences by what was refused."""
ASK = marked("Please ask the staff.")
_ASKED = ("borrow", "reserve")
"""Goals for which a page says to ask the staff: the staff lend, and reasons not to renew say it."""
_AND = marked("%(first)s and %(then)s")
_OR = marked("%(one)s, or %(other)s")
_STEPS = {
    "pay": marked("pay %(cents)s"),
    "return": marked("return %(items)s items"),
    "return-one": marked("return one item"),
    "return-these": marked("return the %(items)s items with the lowest fines"),
    "return-this": marked("return the item with the lowest fine"),
    "return-title": marked("return the copy that you have"),
    "cancel-holds": marked("cancel %(holds)s reservations"),
    "cancel-hold": marked("cancel one of your reservations"),
    "wait": marked("wait until %(until)s"),
    "choose-copy": marked("take the copy %(barcode)s"),
    "renew-card": marked("renew your card in My Account or at any library"),
    "renew-reader-card": marked("renew the reader's card"),
    "choose-branch": marked("choose another pick-up library, such as %(branch)s"),
}


def sentence(
    language: Language,
    ways: Sequence[Mapping[str, Any]],
    goal: str,
    branches: Mapping[str, str] | None = None,
) -> str:
    """Return the ways of the API as one sentence; "" if there is none.

    `goal` is a key of GOALS. `branches` has the names
    of libraries by code.
    """
    if not ways:
        return ""
    if ways[0]["steps"][0]["do"] == "ask":
        return language.say(ASK) if goal in _ASKED else ""

    def step(one: Mapping[str, Any]) -> str:
        facts = {name: fact for name, fact in one.items() if isinstance(fact, str | int)}
        if "cents" in facts:
            facts["cents"] = language.money(one["cents"])
        if "until" in facts:
            facts["until"] = language.day(one["until"])
        if "branch" in facts:
            facts["branch"] = (branches or {}).get(one["branch"], one["branch"])
        return language.say(_STEPS[_kind(one, goal)]) % facts

    def joined(text: str, one: str, other: str) -> Callable[[str, str], str]:
        return lambda before, after: language.say(text) % {one: before, other: after}

    each = [reduce(joined(_AND, "first", "then"), map(step, way["steps"])) for way in ways]
    told = language.say(GOALS[goal]) % {"ways": reduce(joined(_OR, "one", "other"), each)}
    return told[:1].upper() + told[1:]


def _kind(step: Mapping[str, Any], goal: str) -> str:
    match step:
        case {"do": "renew-card"} if goal in ("lend", "renew-reader"):
            return "renew-reader-card"
        case {"do": "return"} if goal == "reserve":
            return "return-title"
        case {"do": "return", "items": 1, "any_item": any_item}:
            return "return-one" if any_item else "return-this"
        case {"do": "return", "any_item": False}:
            return "return-these"
        case {"do": "cancel-holds", "holds": 1}:
            return "cancel-hold"
        case _:
            return str(step["do"])
