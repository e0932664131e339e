"""Texts in bodies of requests: without control characters, and those of one line in one line."""

from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from shared.http.bodies import ONE_LINE, Body


class PartIn(Body):
    text: str


class WordsIn(Body):
    text: str = ""
    title: Annotated[str, ONE_LINE] = "Old maps"
    names: Mapping[str, str] = Field(default_factory=dict)
    lines: tuple[str, ...] = ()
    parts: tuple[PartIn, ...] = ()


@pytest.mark.parametrize("control", ["\0", "\b", "\x1b[2J", "\x7f", "\x9b"], ids=ascii)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "Where{}?"),
        ("title", "Old{}maps"),
        ("names", {"en": "A{}"}),
        ("names", {"{}": "A"}),
        ("lines", ["a", "b{}"]),
        ("parts", [{"text": "a{}"}]),
    ],
    ids=["text", "title", "value", "name", "line", "part"],
)
def test_control_characters_are_refused_for_their_field(
    name: str, value: Any, control: str
) -> None:
    def with_control(part: Any) -> Any:
        if isinstance(part, dict):
            return {with_control(key): with_control(one) for key, one in part.items()}
        if isinstance(part, list):
            return [with_control(one) for one in part]
        return part.format(control)

    with pytest.raises(ValidationError) as refused:
        WordsIn.model_validate({name: with_control(value)})
    [fault] = refused.value.errors()
    assert fault["loc"][0] == name
    assert "control characters" in fault["msg"]


def test_a_text_keeps_its_lines_and_a_title_has_one() -> None:
    words = WordsIn(text="One\r\n\tTwo\n", title="Old\u3000maps\r\n of\tthe\x0bharbour")
    assert words.text == "One\r\n\tTwo\n"
    assert words.title == "Old\u3000maps of the harbour"
    with pytest.raises(ValidationError):
        WordsIn(title="\x1c")
