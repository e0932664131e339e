"""Bodies of requests and responses: what no request needs is refused, such as unknown fields."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from shared.clock import bounded

M = TypeVar("M", bound=BaseModel)
_STRICT = ("int", "bool", "float")
MOST_VALUES = 1000
"""Greatest number of fields of an object, and of values of a list; no body needs more."""
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters other than the tab and those that end a line."""


def _make_strict(part: Any) -> None:
    """Let each number and truth value in a part of a schema take those of JSON alone."""
    if isinstance(part, dict):
        if part.get("type") in _STRICT:
            part["strict"] = True
        part = part.values()
    elif not isinstance(part, list):
        return
    for one in part:
        _make_strict(one)


class Body(BaseModel):
    """The base of request bodies.

    Unknown fields, dates too far from today and texts with control characters are refused, and text
    in place of a number or a truth value, of which JSON has its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema with strict numbers and truth values. Dates and the like are text."""
        schema = handler(source)
        _make_strict(schema)
        return schema

    @model_validator(mode="before")
    @classmethod
    def _few_values(cls, value: Any) -> Any:
        """Refuse too many values at once: to find what is wrong with each could take seconds."""
        inside = value.values() if isinstance(value, dict) else ()
        for each in (value, *inside):
            if isinstance(each, dict | list) and len(each) > MOST_VALUES:
                raise ValueError(f"a list or an object may have {MOST_VALUES} values")
        return value

    @field_validator("*")
    @classmethod
    def _bounded_dates(cls, value: Any) -> Any:
        return bounded(value) if isinstance(value, date) else value

    @field_validator("*")
    @classmethod
    def _without_controls(cls, value: Any) -> Any:
        if any(_CONTROLS.search(text) for text in _texts_in(value)):
            raise ValueError("has control characters")
        return value


def _texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in a value; a body inside checks its own."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from (*_texts_in(name), *_texts_in(part))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts_in(part)


def _one_line(text: str) -> str:
    """Replace the ends of lines, with the space around them, and tabs with a space."""
    line = " ".join(part.strip() for part in text.replace("\t", " ").splitlines())
    if not line:
        raise ValueError("is empty")
    return line


ONE_LINE = AfterValidator(_one_line)
"""Makes the type of a text that of one line, such as a name or a subject."""

Day = Annotated[date, AfterValidator(bounded)]
"""A day in a query, not too far from today."""


def from_attributes(model: type[M], source: object, /, **others: Any) -> M:
    """Return the body of a response: `others` by name, and the rest from attributes of `source`.

    Raises AttributeError for a field without a default that neither has, and TypeError for one
    that is none.
    """
    fields = model.model_fields
    if unknown := others.keys() - fields.keys():
        raise TypeError(f"{model.__name__} has no {', '.join(sorted(unknown))}")
    copied = {
        name: getattr(source, name)
        for name, field in fields.items()
        if name not in others and (field.is_required() or hasattr(source, name))
    }
    return model(**copied, **others)
