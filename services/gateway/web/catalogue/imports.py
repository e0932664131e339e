"""Desk pages of MARC files: preview what an import would do, import, and the report."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fastapi import Response
from starlette.datastructures import UploadFile

from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.catalogue.desk import adding
from services.gateway.web.csv_files import csv_file
from services.gateway.web.page_request import DeskRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    messages={"file-imported": marked("The file is imported. Sending it again changes nothing.")},
    problems={
        "no-file": marked("Choose a file first."),
        "no-records": marked(
            "This file has no MARC records. Send ISO 2709 (often .mrc) or MARCXML (.xml)."
        ),
        "too-many-records": marked("The file has more than 500 records. Send it in parts."),
        "marc-too-large": marked("The file is too large. Send it in parts."),
        "no-such-import": marked("This file is not kept any more. Send it again."),
    },
    at_fault={
        "no-file": "marc",
        "no-records": "marc",
        "too-many-records": "marc",
        "marc-too-large": "marc",
    },
    fields={"marc": marked("File of MARC records")},
)

SHOWN = 100
"""Records of a report on its page; those with a problem come first, and the CSV file has all."""
OUTCOMES = ("refused", "changed", "added", "unchanged")
"""Outcomes in the order in which a librarian has to look at them."""


@router.post("/desk/titles/imports")
async def post_file(request: DeskRequest) -> Response:
    """Send a file of MARC records, and show what its import would do."""
    file = request.form.get("marc")
    if not isinstance(file, UploadFile) or not file.filename:
        return adding(request, Failure(422, "no-file"))
    if (file.size or 0) > request.http.app.state.settings.attachment_bytes:
        return adding(request, Failure(413, "marc-too-large"))
    content = await file.read()
    if not content:
        return adding(request, Failure(409, "no-records"))
    reply = await request.api.upload("/v1/title-imports", content, key=request.key)
    if not reply.done:
        return adding(request, reply.refusal(409, 413, 422))
    return request.go(f"/desk/titles/imports/{segment(reply.json()['import_id'])}")


@router.get("/desk/titles/imports/{import_id}")
async def get_import(request: DeskRequest, import_id: str) -> Response:
    """Show what the import of a file would do or, after it, what it did."""
    report = (await _report(request, import_id)).json()
    rows = sorted(report["items"], key=_importance)
    return request.page(
        "catalogue/desk-import.html",
        report=report,
        counts=Counter(row["outcome"] for row in rows),
        unread=sum(len(row["unread"]) for row in rows),
        outcomes=OUTCOMES,
        rows=rows[:SHOWN],
    )


@router.post("/desk/titles/imports/{import_id}")
async def post_import(request: DeskRequest, import_id: str) -> Response:
    """Import the next records of a file; a long file takes several steps."""
    here = f"/desk/titles/imports/{segment(import_id)}"
    report = (await request.send("POST", f"/v1/title-imports/{segment(import_id)}/run")).json()
    done = report["done"] == report["records"]
    return request.go(here, *(["file-imported"] if done else []))


@router.get("/desk/titles/imports/{import_id}/report.csv")
async def get_report(request: DeskRequest, import_id: str) -> Response:
    """Download the report: a line for each record, and one for each part that can't be read."""
    report = (await _report(request, import_id)).json()
    rows = []
    for row in report["items"]:
        record = (row["number"], row["known_as"], row["title"], row["outcome"])
        rows.append((*record, "", row["reason"]))
        rows += [(*record, part["field"], part["reason"]) for part in row["unread"]]
    heads = ("number", "control_number", "title", "outcome", "field", "reason")
    return csv_file("import-report.csv", heads, rows)


async def _report(request: DeskRequest, import_id: str) -> Reply:
    return await request.api.get(f"/v1/title-imports/{segment(import_id)}")


def _importance(row: Mapping[str, Any]) -> tuple[bool, int, int]:
    return not row["unread"], OUTCOMES.index(row["outcome"]), row["number"]
