"""The OpenAPI document of all operations that clients can call, merged from the owners'.

It has links from responses to operations, and is shown as an HTML page without scripts.
"""

import asyncio
import contextlib
import re
import shlex
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from fastapi import FastAPI

from services.gateway.edge.proxy import DEADLINE_SECONDS, owner_of
from services.registry import OWNERS
from shared.deadlines import allowed

DOCUMENT_SECONDS = 5.0


class Documents:
    """Cache of the owners' OpenAPI documents; it keeps the last one while an owner is away."""

    def __init__(self) -> None:
        self._raw: dict[str, bytes] = {}
        self._known: dict[str, dict[str, Any]] = {}
        self._merged: dict[str, Any] | None = None
        self._asked_at = -DOCUMENT_SECONDS
        self._lock = asyncio.Lock()

    async def merged(self, app: FastAPI) -> dict[str, Any]:
        """Return one document of all operations that the gateway answers or forwards."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= DOCUMENT_SECONDS:
                await asyncio.gather(*(self._ask(app, service) for service in OWNERS))
                self._asked_at = time.monotonic()
            if self._merged is None:  # takes 0.1 s: a thread lets others go on
                self._merged = await asyncio.to_thread(merge, app.openapi(), dict(self._known))
        return self._merged

    async def _ask(self, app: FastAPI, service: str) -> None:
        [address, *_] = app.state.liveness.addresses_of(service)
        url = f"{address}/openapi.json"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with (
                asyncio.timeout(allowed(DEADLINE_SECONDS)),
                app.state.owners.session.get(url) as response,
            ):
                raw = await response.read()
                if response.status != 200 or raw == self._raw.get(service):
                    return
                document = orjson.loads(raw)
                if isinstance(document.get("paths"), dict):
                    self._raw[service], self._known[service] = raw, document
                    self._merged = None


def merge(own: Mapping[str, Any], owners: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return `own` with the operations that are forwarded to each owner, and their schemas.

    If two different schemas have one name, the later one is prefixed with its service's name. An
    owner's routes that are not forwarded are left out, and so is the role `service`, which no
    client has.
    """
    merged: dict[str, Any] = {**own, "paths": dict(own["paths"])}
    schemas: dict[str, Any] = dict(own.get("components", {}).get("schemas", {}))
    for service in sorted(owners):
        paths = {
            path: operations
            for path, operations in owners[service]["paths"].items()
            if owner_of(path) == service
        }
        theirs = owners[service].get("components", {}).get("schemas", {})
        needed = _needed(paths, theirs)
        names = _new_names(service, needed, schemas)
        schemas |= {names[name]: _renamed(schema, names) for name, schema in needed.items()}
        for path, operations in _renamed(paths, names).items():
            merged["paths"][path] = {
                method: {**operation, "tags": operation.get("tags") or [service]}
                for method, operation in operations.items()
            }
    components = {**own.get("components", {}), "schemas": dict(sorted(schemas.items()))}
    merged["components"] = components
    if "securitySchemes" in components:
        components["securitySchemes"] = _but_services(components["securitySchemes"])
    merged["paths"] = {
        path: {method: _for_clients(operation) for method, operation in operations.items()}
        for path, operations in sorted(merged["paths"].items())
    }
    add_links(merged["paths"])
    missing = [service for service in OWNERS if service not in owners]
    if missing:
        merged["x-missing"] = missing
    return merged


def _for_clients(operation: Mapping[str, Any]) -> dict[str, Any]:
    allowed = [_but_services(one) for one in operation.get("security", ())]
    return {**operation, "security": [one for one in allowed if one]}


def _but_services(roles: Mapping[str, Any]) -> dict[str, Any]:
    return {role: description for role, description in roles.items() if role != "service"}


_REFERENCE = "#/components/schemas/"


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and target.startswith(_REFERENCE):
            yield target.removeprefix(_REFERENCE)
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _needed(paths: Any, schemas: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name in schemas and name not in found:
            found[name] = schemas[name]
            waiting.extend(_references(schemas[name]))
    return found


def _new_names(service: str, needed: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, str]:
    names = {name: name for name in needed}
    while True:
        # Renaming one schema changes those that refer to it, which may then differ as well.
        clashing = [
            name
            for name, schema in needed.items()
            if names[name] == name and name in taken and _renamed(schema, names) != taken[name]
        ]
        if not clashing:
            return names
        names |= {name: f"{service.capitalize()}{name}" for name in clashing}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _REFERENCE
            + names.get(item.removeprefix(_REFERENCE), item.removeprefix(_REFERENCE))
            if key == "$ref" and isinstance(item, str) and item.startswith(_REFERENCE)
            else _renamed(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value


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


_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font:.875rem/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
details{border-top:1px solid #8886}
summary{cursor:pointer;padding:.5rem 0}
summary+*{margin-top:0}
details>:not(summary){margin-left:1rem}
pre{white-space:pre-wrap;background:#8882;padding:.75rem;border-radius:.25rem}
pre.curl{user-select:all}
nav ul{padding:0;list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#9cf}}
"""

_ABOUT = """
<p>The whole of it, for programs: <a href="/openapi.json">/openapi.json</a>.</p>
<p>The curl lines are to be copied; a click marks a whole one. <code>$CARREL</code> is the address
of this page without its path, <code>$TOKEN</code> the <code>access_token</code> of
<a href="#post_sessions">POST /v1/sessions</a>. Ids, cards and barcodes are made up.</p>
"""


def page(document: Mapping[str, Any]) -> str:
    """Return the HTML page of a merged document."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[operation.get("tags", ["other"])[0]].append(_operation(method, path, operation))
    names = sorted(groups)
    links = "".join(f'<li><a href="#{_anchor(name)}">{escape(name)}</a></li>' for name in names)
    sections = "".join(
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>{"".join(groups[name])}</section>'
        for name in names
    )
    missing = ", ".join(document.get("x-missing", []))
    away = f"<p>Away at the moment, and not listed: {escape(missing)}.</p>" if missing else ""
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{away}{_ABOUT}<nav><ul>{links}</ul></nav>"
        f"{sections}</main></body></html>"
    )


def _anchor(name: str) -> str:
    return "of-" + name.replace(" ", "-")


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    identity = escape(operation["operationId"])
    summary = _text(operation.get("summary", ""))
    return (
        f'<details id="{identity}"><summary><code>{escape(method.upper())} {escape(path)}</code> '
        f"{summary}</summary>{''.join(_parts(method, path, operation))}</details>"
    )


def _parts(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    for paragraph in operation.get("description", "").split("\n\n"):
        yield f"<p>{_text(paragraph)}</p>"
    roles = [role for one in operation.get("security", ()) for role in one]
    yield f"<p>For {', '.join(roles)}.</p>" if roles else "<p>For anyone.</p>"
    if parameters := operation.get("parameters"):
        yield f"<ul>{''.join(_parameter(one) for one in parameters)}</ul>"
    yield f'<pre class="curl">{escape(curl(method, path, operation))}</pre>'
    for status, answer in sorted(operation["responses"].items()):
        if status.startswith("2"):
            for example in _examples(answer):
                yield f"<p>Answer {status}:</p><pre>{escape(_written(example))}</pre>"
    problems = (
        f"{status} {', '.join(f'<code>{code}</code>' for code in _codes(answer))}"
        for status, answer in sorted(operation["responses"].items())
        if _codes(answer)
    )
    yield f"<p>Problems: {'; '.join(problems)}.</p>"


def _parameter(parameter: Mapping[str, Any]) -> str:
    must = ", required" if parameter.get("required") else ""
    like = (
        f", as <code>{escape(str(parameter['example']))}</code>" if "example" in parameter else ""
    )
    name, description = escape(parameter["name"]), _text(parameter.get("description", ""))
    return f"<li><code>{name}</code> ({parameter['in']}{must}{like}) {description}</li>"


def _text(text: str) -> str:
    """Escape text, and mark up `code` in it."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Return a curl command that makes the example's request."""
    given = {one["name"]: one.get("example", "") for one in operation.get("parameters", ())}
    query = {
        one["name"]: one.get("example", "")
        for one in operation.get("parameters", ())
        if one["in"] == "query" and one.get("required")
    }
    address = re.sub(r"\{(\w+)\}", lambda found: str(given.get(found[1], "")), path)
    if query:
        address += f"?{urlencode(query)}"
    words = [f'curl "$CARREL{address}"']
    if method != "get":
        words[0] = f'curl -X {method.upper()} "$CARREL{address}"'
    if operation.get("security"):
        words.append('-H "Authorization: Bearer $TOKEN"')
    bodies = _examples(operation.get("requestBody", {}))
    if bodies:
        [kind] = operation["requestBody"]["content"]
        words.append(f"-H 'Content-Type: {kind}'")
        words.append(f"-d {shlex.quote(_written(bodies[0]))}")
    return " \\\n  ".join(words)


def _examples(media: Mapping[str, Any]) -> list[Any]:
    """Return the examples of a body, of all its media types."""
    found = []
    for content in media.get("content", {}).values():
        found += [content["example"]] if "example" in content else []
        found += [example["value"] for example in content.get("examples", {}).values()]
    return found


def _written(example: Any) -> str:
    if isinstance(example, str):
        return example.strip()
    return orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def _codes(answer: Mapping[str, Any]) -> list[str]:
    """Return the codes of a problem."""
    problem = answer.get("content", {}).get("application/problem+json", {})
    return [escape(code) for code in problem.get("examples", {})]
