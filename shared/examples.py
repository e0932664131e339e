"""Examples in the OpenAPI document, made field by field from those that a service gives.

A body's example is made from its fields. `Examples` has one example for each field name. A
different one for one model is under `Model.field`; one for a single place is under the path of
fields that leads there, such as `DELETE /v1/holds/{hold_id}.state`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

LEFT_OUT = ...
"""The example of an optional field that a body's example leaves out."""


class NoExample(LookupError):
    """A field has no example. The text names the field, such as `LoanOut.due_on`."""


class Examples:
    """The examples of one service."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = known

    def of(self, schema: Mapping[str, Any], schemas: Mapping[str, Any], *places: str) -> Any:
        """Return an example of the schema; `schemas` are those it may refer to. Raises NoExample.

        `places` say where it is, such as `POST /v1/holds`, the most specific first.
        """
        return self._value(schema, schemas, places, "")

    def of_parameter(self, place: str, parameter: str) -> Any:
        """Return the example of a parameter in this place; None if there is none."""
        return self._known.get(f"{place}.{parameter}", self._known.get(parameter))

    def _value(
        self,
        schema: Mapping[str, Any],
        schemas: Mapping[str, Any],
        places: Sequence[str],
        field: str,
    ) -> Any:
        """Return an example; `places` are the paths to it, from the outermost model to the last."""
        for place in places:
            if field and place in self._known:
                return self._known[place]
        if "examples" in schema:
            return schema["examples"][0]
        if "$ref" in schema:
            model = schema["$ref"].rpartition("/")[2]
            return self._value(schemas[model], schemas, (*places, model), field)
        if "anyOf" in schema:
            known = [one for one in schema["anyOf"] if one.get("type") != "null"]
            if self._known.get(field, "") is None and len(known) < len(schema["anyOf"]):
                return None
            of = {"default": schema.get("default"), **known[0]}
            return self._value(of, schemas, places, field)
        if "properties" in schema:
            return self._object(schema, schemas, places)
        if "const" in schema or schema.get("type") == "null":
            return schema.get("const")
        example = self._known.get(field)
        if "enum" in schema:
            return example if example in schema["enum"] else schema["enum"][0]
        if schema.get("type") == "array" and not isinstance(example, list):
            return [self._value(schema["items"], schemas, places, "")]
        if example is not None and example is not LEFT_OUT:
            return example
        if schema.get("default") is not None:
            return schema["default"]
        raise NoExample(places[-1] if places else field)

    def _object(
        self, schema: Mapping[str, Any], schemas: Mapping[str, Any], places: Sequence[str]
    ) -> dict[str, Any]:
        found = {}
        for name, of in schema["properties"].items():
            ways = [f"{place}.{name}" for place in places]
            value = self._value(of, schemas, ways, name)
            if value is not LEFT_OUT:
                found[name] = value
        return found
