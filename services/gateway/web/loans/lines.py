"""Lines of a desk's list: the answer to each scan, which the page itself keeps."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import orjson

from services.gateway.web.page_request import PageRequest

MOST = 100
"""Number of lines that a page carries; the oldest are left out."""


@dataclass(frozen=True)
class Line:
    """The answer to one scan. It is only shown; what it names is checked again by the API."""

    barcode: str
    title: str = ""
    ok: bool = False
    code: str = ""
    """Code of the refusal; "" if there was none."""
    detail: str = ""
    loan: str = ""
    """Id of the loan that was made or ended; "" if there is none to undo."""
    patron: str = ""
    """Id of the patron of that loan."""
    due: str = ""
    """Due date or, of a loan by hours, due time."""
    charge: str = ""
    cents: int = 0
    state: str = ""
    """State of the copy after a return."""
    to: str = ""
    """Code of the branch that it goes to or is kept at."""
    until: str = ""
    reader: str = ""
    """Name of the patron that the copy is kept or sent for."""
    held: bool = False
    undone: bool = False
    overridable: bool = False
    ways_out: tuple[Mapping[str, Any], ...] = ()

    @property
    def carried(self) -> str:
        """The line as a field of the page's form, without what only the newest line shows."""
        passing = ("ways_out", "overridable")
        kept = {n: v for n, v in asdict(self).items() if v and n not in passing}
        return orjson.dumps(kept).decode()


_TYPES = {one.name: type(one.default) for one in fields(Line) if one.name != "barcode"}


def carried(request: PageRequest) -> list[Line]:
    """Return the lines that the page carries, the newest first; others are left out."""
    lines = [_parsed(text) for text in request.texts("line")[:MOST]]
    return [line for line in lines if line]


def _parsed(text: str) -> Line | None:
    try:
        given = orjson.loads(text)
    except ValueError:
        return None
    if not isinstance(given, dict) or not isinstance(given.get("barcode"), str):
        return None
    known: dict[str, Any] = {n: v for n, v in given.items() if n in _TYPES and type(v) is _TYPES[n]}
    return Line(**{**known, "barcode": given["barcode"], "ways_out": ()})


def after_undo(line: Line, undone: Mapping[str, Any]) -> Line:
    """Return the line of a scan that was undone, with where its copy goes now."""
    copy, hold = undone["copy"], undone["hold"] or {}
    return replace(
        line,
        undone=True,
        state=copy["state"],
        to=copy["bound_for"] or copy["at_branch"],
        until=hold.get("shelf_until") or "",
        held=bool(hold),
    )


def of_result(
    result: Mapping[str, Any], titles: Mapping[str, str], readers: Mapping[str, str]
) -> Line:
    """Return the line of one result of a check-out or a return."""
    loan, copy, problem = result.get("loan"), result.get("copy") or {}, result.get("problem")
    hold, charge = result.get("hold") or {}, result.get("charge") or {}
    item = loan or copy
    line = Line(
        barcode=result["barcode"],
        title=titles.get(item.get("title_id", ""), ""),
        ok=result["ok"],
        loan=loan["id"] if loan else "",
        patron=loan["patron_id"] if loan else "",
        due=(loan["due_at"] or loan["due_on"]) if loan else "",
        charge=charge.get("id", ""),
        cents=charge.get("amount_cents", 0),
        state=copy.get("state", ""),
        to=copy.get("bound_for") or copy.get("at_branch") or "",
        until=hold.get("shelf_until") or "",
        reader=readers.get(hold.get("patron_id", ""), ""),
        held=bool(hold),
    )
    if not problem:
        return line
    return replace(
        line,
        code=problem["code"],
        detail=problem["detail"],
        overridable=problem["may_be_overridden"],
        ways_out=tuple(problem["ways_out"]),
    )
