"""Numbers and truth values of request bodies are those of JSON, in all bodies of all services."""

import datetime as dt
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic import ValidationError

from services.registry import NAMES
from shared.http.bodies import Body


class Part(Body):
    count: int


class Whole(Body):
    cents: int | None = None
    chosen: bool = False
    days: tuple[int, ...] = ()
    shares: dict[str, int] | None = None
    part: Part | None = None
    day: dt.date | None = None


@pytest.mark.parametrize(
    "body",
    [
        {"cents": "3300"},
        {"cents": 3300.0},
        {"cents": True},
        {"chosen": "true"},
        {"chosen": 1},
        {"days": [1, "2"]},
        {"shares": {"a": "1"}},
        {"part": {"count": "1"}},
    ],
    ids=str,
)
def test_text_is_no_number_and_a_number_is_no_truth_value(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Whole.model_validate(body)


def test_json_of_the_declared_types_is_accepted() -> None:
    day = {"day": "2021-02-19"}  # JSON has no days
    body = {"cents": 3300, "chosen": True, "days": [1], "shares": {"a": 1}, "part": {"count": 1}}
    assert Whole.model_validate(body | day).day == dt.date(2021, 2, 19)


def bodies(kind: type[Body] = Body) -> Iterator[type[Body]]:
    """Yield all bodies that services declare."""
    for one in kind.__subclasses__():
        yield one
        yield from bodies(one)


def lax(part: Any) -> bool:
    """Return whether a part of a schema takes text for a number or a truth value."""
    if isinstance(part, dict):
        if part.get("type") in ("int", "bool", "float") and part.get("strict") is not True:
            return True
        part = [*part.values()]
    return isinstance(part, list) and any(map(lax, part))


def test_every_body_of_every_service_is_strict() -> None:
    for name in NAMES:
        import_module(f"services.{name}.app")
    found = {one for one in bodies() if one.__module__.startswith("services.")}
    assert len(found) > 80
    assert [one for one in found if lax(one.__pydantic_core_schema__)] == []
