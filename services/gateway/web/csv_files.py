"""Tables as files for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence

from fastapi import Response

from services.gateway.web.page_request import HEADERS

_RISKY = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a text that a spreadsheet would take for a formula (OWASP: CSV injection)."""


def csv_file(name: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Return a download in UTF-8 with a byte order mark. No text in it is taken for a formula."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(heads)
    lines.writerows([_safe(value) for value in row] for row in rows)
    more = {"Content-Disposition": f'attachment; filename="{name}"'}
    content = text.getvalue().encode("utf-8-sig")
    return Response(content, headers=HEADERS | more, media_type="text/csv; charset=utf-8")


def _safe(value: object) -> object:
    risky = isinstance(value, str) and value.startswith(_RISKY)
    return f"'{value}" if risky else value
