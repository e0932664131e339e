"""The table of docs/security.md that says which role may read and change what.

`python -m tests.contracts.roles` writes it anew from the routes of all services.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.rights import INCLUDED_ROLES, ROLES
from tests.contracts.test_openapi import merged

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
ANYONE = "anyone"
COLUMNS = (ANYONE, *(role for role in ROLES if role not in ("service", *INCLUDED_ROLES)))


def table(document: Mapping[str, Any]) -> str:
    """Return the table of an OpenAPI document: a row for each tag, a column for each role."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for by_method in document["paths"].values():
        for method, operation in by_method.items():
            roles = {role for one in operation["security"] for role in one} or {ANYONE}
            for role in roles:
                found[operation["tags"][0], role].add("read" if method == "get" else "change")
    rows = [
        [tag, *(", ".join(sorted(found[tag, role], reverse=True)) for role in COLUMNS)]
        for tag in sorted({tag for tag, _ in found})
    ]
    return "\n".join(
        f"| {' | '.join(row)} |" for row in (["", *COLUMNS], ["---"] * (1 + len(COLUMNS)), *rows)
    )


def parts(text: str) -> tuple[str, str, str]:
    """Return the page before its table, the table, and the page after it."""
    start = text.index(f"|  | {ANYONE} |")
    end = text.index("\n\n", start)
    return text[:start], text[start:end], text[end:]


if __name__ == "__main__":
    before, _, after = parts(PAGE.read_text())
    PAGE.write_text(before + table(merged()) + after)
