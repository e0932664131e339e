"""Add OpenAPI links from answers to operations, found by the ids in their examples.

An example shows one object by the same id everywhere. So if a response shows an id that an
operation's path takes, the response gets a link to that operation.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_IDENTITIES = ("id", "code", "barcode")
"""Fields that name the object itself, not another one that it refers to."""


def add_links(paths: Mapping[str, Any]) -> None:
    """Give each successful response of the document links to the operations on what it shows."""
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
    """Return the example values of the path parameters, by name."""
    return {
        parameter["name"]: str(parameter.get("example"))
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }


def _shown(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each id in a response's example with its runtime expression, the outermost first."""
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
                        if name != "cause"  # a cause is another object, of several kinds
                    ]
                elif isinstance(value, list):
                    below += [(f"{place}/{index}", inner) for index, inner in enumerate(value)]
            level = below
