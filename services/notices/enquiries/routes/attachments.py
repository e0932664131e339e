"""Routes of attachments: upload a file for a message, and download it."""

from typing import Annotated, Any
from urllib.parse import quote

import fastapi
from fastapi import APIRouter, Query, Response

from services.notices.enquiries.commands.attachments import UploadAttachment, upload_attachment
from services.notices.enquiries.queries import attachment_with_content
from services.notices.enquiries.refusals import BadAttachment, NoSuchAttachment, TooManyAttachments
from services.notices.enquiries.routes.models import FileOut
from services.notices.enquiries.rules.enquiries import (
    KINDS,
    AttachedFile,
    Attachment,
    file_name,
    kind_of,
)
from services.notices.fields import Id
from services.notices.patrons.refusals import NoSuchPatron
from services.settings import MOST_ATTACHMENT_BYTES
from shared.audit_trail import shows_patrons
from shared.auth import PatronOrStaff
from shared.http.bodies import from_attributes
from shared.http.dependencies import Db, Run
from shared.http.problems import TOO_LARGE
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["enquiries"])

Content = Annotated[
    bytes,
    fastapi.Body(
        media_type="application/octet-stream",
        max_length=MOST_ATTACHMENT_BYTES,
        description="The file.",
        examples=["Maps of the harbour: 1897, 1901, 1924"],
    ),
]


@router.post("/attachments", status_code=201)
@refuses(BadAttachment, NoSuchPatron, NoSuchAttachment, TooManyAttachments, TOO_LARGE)
async def post_attachment(
    caller: PatronOrStaff,
    run: Run,
    content: Content,
    name: Annotated[str, Query(max_length=300, description="Name of the file.")] = "",
) -> FileOut:
    """Upload a file: a PDF, a PNG or JPEG picture, or plain text in UTF-8.

    Its content decides which it is. A file that is sent with no message within a day is deleted.
    """
    kind = kind_of(content)
    command = UploadAttachment(
        owner_id=caller.id,
        of_patron="patron" in caller.roles,
        name=file_name(name, kind),
        kind=kind,
        size=len(content),
    )
    stored = await upload_attachment(run, command, content)
    return from_attributes(FileOut, AttachedFile(stored.id, stored.name, stored.kind, stored.size))


FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, to be saved and not shown.",
        "content": {
            kind: {"schema": {"type": "string"}, "example": "The content of the file."}
            for kind in KINDS
        },
    }
}
"""The response of a route that sends a file, in the OpenAPI document."""


@router.get("/attachments/{attachment_id}", response_class=Response, responses=FILE)
@refuses(NoSuchAttachment)
@shows_patrons
async def get_attachment(attachment_id: Id, caller: PatronOrStaff, db: Db) -> Response:
    """Download a file of a question: the patron's who asked it, or one's own."""
    attachment, content = await attachment_with_content(db, attachment_id, caller)
    return file_response(attachment, content)


def file_response(attachment: Attachment, content: bytes) -> Response:
    """Return a file, to be saved and not shown."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(attachment.name)}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(content, headers=headers, media_type=attachment.kind)
