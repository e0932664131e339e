"""Render the OpenAPI document as one HTML page with curl commands, without scripts."""

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

import orjson

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
                yield f"<p>Answer {status}:</p><pre>{escape(_shown(example))}</pre>"
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
    name, said = escape(parameter["name"]), _text(parameter.get("description", ""))
    return f"<li><code>{name}</code> ({parameter['in']}{must}{like}) {said}</li>"


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
        words.append(f"-d {shlex.quote(_shown(bodies[0]))}")
    return " \\\n  ".join(words)


def _examples(media: Mapping[str, Any]) -> list[Any]:
    """Return the examples of a body, of all its media types."""
    found = []
    for content in media.get("content", {}).values():
        found += [content["example"]] if "example" in content else []
        found += [example["value"] for example in content.get("examples", {}).values()]
    return found


def _shown(example: Any) -> str:
    if isinstance(example, str):
        return example.strip()
    return orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def _codes(answer: Mapping[str, Any]) -> list[str]:
    """Return the codes of a problem."""
    problem = answer.get("content", {}).get("application/problem+json", {})
    return [escape(code) for code in problem.get("examples", {})]
