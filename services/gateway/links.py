"""Which operations go on from an answer: OpenAPI's links, found by the examples.

An example shows one thing by the same id wherever it is, so an id that an answer shows and an
operation's path is given says that the one follows from the other.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_IDENTITIES = ("id", "code", "barcode")
"""Fields that name the thing itself, not another one that it is about."""


def add_links(paths: Mapping[str, Any]) -> None:
    """Give each good answer of the document the operations on what is in it."""
    targets = [
        (operation["operationId"], wanted)
        for operations in paths.values()
        for operation in operations.values()
        if (wanted := _wanted(operation))
    ]
    for operations in paths.values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status.startswith("2"):
                    shown = dict(reversed(list(_shown(answer))))
                    links = {
                        name: {
                            "operationId": name,
                            "parameters": {one: shown[value] for one, value in wanted.items()},
                        }
                        for name, wanted in targets
                        if name != operation.get("operationId")
                        and shown.keys() >= {*wanted.values()}
                    }
                    if links:
                        answer["links"] = links


def _wanted(operation: Mapping[str, Any]) -> dict[str, str]:
    """What the path is given in the example, by name."""
    return {
        parameter["name"]: str(parameter.get("example"))
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }


def _shown(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The identities in an answer's example, the outermost first, each with where it stands."""
    for content in answer.get("content", {}).values():
        several = [one["value"] for one in content.get("examples", {}).values()]
        level = [("$response.body#", content.get("example", several[0] if several else None))]
        while level:
            below = []
            for place, value in level:
                if isinstance(value, dict):
                    yield from (
                        (value[name], f"{place}/{name}")
                        for name in _IDENTITIES
                        if isinstance(value.get(name), str)
                    )
                    below += [
                        (f"{place}/{name}", inner)
                        for name, inner in value.items()
                        if name != "cause"  # it is elsewhere, and may be of several kinds
                    ]
                elif isinstance(value, list):
                    below += [(f"{place}/{index}", inner) for index, inner in enumerate(value)]
            level = below
