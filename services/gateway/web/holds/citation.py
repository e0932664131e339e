"""Citations of a title, composed from its record."""

from collections.abc import Mapping, Sequence
from typing import Any


def citations(title: Mapping[str, Any]) -> dict[str, str]:
    """Return the citation of a title by style: APA (7th edition) and MLA (9th edition)."""
    record, authors = title["record"], title["authors"]
    name = title["title"].strip().rstrip(".")
    publisher, edition = record["publisher"], record["edition"]
    year = record["year"]
    apa = [
        _listed(authors, " & ", 20),
        f"({year or 'n.d.'})",
        f"{name} ({edition})" if edition else name,
        publisher,
    ]
    mla_authors = _listed(authors[:1], "", 1) + (", et al" if len(authors) > 2 else "")
    if len(authors) == 2:
        mla_authors = _listed(authors, ", and ", 2)
    imprint = ", ".join(str(part) for part in (edition, publisher, year) if part)
    return {"APA": _sentences(apa), "MLA": _sentences([mla_authors, name, imprint])}


def _listed(authors: Sequence[str], last: str, most: int) -> str:
    some = [author.strip().rstrip(".,") for author in authors[:most]]
    return last.join(filter(None, (", ".join(some[:-1]), *some[-1:])))


def _sentences(parts: Sequence[str | None]) -> str:
    kept = [part.strip().rstrip(".") for part in parts if part and part.strip()]
    return ". ".join(kept) + "."
