"""Routes of guests who ask a librarian: without an account, with a link sent to their address.

The token of the link stands in bodies and queries, not in paths, which are logged.
"""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from services.notices.enquiries import refusals
from services.notices.enquiries.commands import enquiries as enquiries_commands
from services.notices.enquiries.commands import guests as guests_commands
from services.notices.enquiries.queries import GuestThread, file_of_guest, thread_of_guest
from services.notices.enquiries.routes.attachments import FILE, file_response
from services.notices.enquiries.routes.models import MessageOut
from services.notices.enquiries.rules.enquiries import State
from services.notices.enquiries.rules.guests import CONFIRM_WITHIN, KEPT_DAYS, Question
from services.notices.enquiries.store import guests as guests_store
from services.notices.fields import Id, Language, Name, Text
from services.notices.settings import settings_of
from shared.email_address import EmailAddress
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.refusals import refuses
from shared.unit_of_work import Run as UseCases

router = APIRouter(prefix="/v1", tags=["enquiries"])

Address = Annotated[
    EmailAddress, Field(description="E-mail address for the answers; it is kept encrypted.")
]
TOKEN = "Token of the link in the guest's e-mails."  # noqa: S105 - a description
Token = Annotated[str, StringConstraints(max_length=200)]
LinkToken = Annotated[Token, Query(description=TOKEN)]


class GuestEnquiryBody(Body):
    """A question of a guest. Staff see it once its address is confirmed."""

    subject: Name
    text: Text
    language: Language = Field(description="Language of the e-mails.")
    address: Address


class LinkBody(Body):
    """The link of a guest."""

    token: Token = Field(description=TOKEN)


class GuestReplyBody(LinkBody):
    """A guest's reply."""

    text: Text


class GuestAskedOut(BaseModel):
    """The same answer for every address."""

    confirm_by: dt.datetime = Field(
        description="Time until which the link in the e-mail confirms the question."
    )


class GuestStateOut(BaseModel):
    """The state of a guest's question after a command."""

    state: State


class GuestMergedOut(BaseModel):
    """A question that was merged into another of the same guest."""

    token: str = Field(description=TOKEN)
    subject: str


class GuestThreadOut(BaseModel):
    """A guest's question with its messages."""

    subject: str
    state: State
    changed_at: dt.datetime
    merged_into: str | None = Field(
        description="Token of the question in which this one goes on, if the library merged them."
    )
    merged: list[GuestMergedOut] = Field(description="Questions that were merged into this one.")
    thread: list[MessageOut]


class GuestEnquiryOut(BaseModel):
    """The question behind a guest's link."""

    confirm_by: dt.datetime | None = Field(
        description="Time until which the address can be confirmed; null: it is confirmed."
    )
    kept_days: int = Field(
        description="Days after the last message or change for which a question is kept."
    )
    question: GuestThreadOut | None = Field(description="Null until the address is confirmed.")

    @classmethod
    def of(cls, found: GuestThread, secret: str) -> "GuestEnquiryOut":
        """Build the answer from a thread; `secret` makes the links to merged questions."""
        guest, thread = found.guest, found.thread
        if thread is None:
            return cls(
                confirm_by=guest.asked_at + CONFIRM_WITHIN, kept_days=KEPT_DAYS, question=None
            )
        enquiry = thread.enquiry
        into = enquiry.merged_into
        question = GuestThreadOut(
            subject=enquiry.subject,
            state=enquiry.state,
            changed_at=enquiry.changed_at,
            merged_into=guests_store.guest_token(into, secret) if into else None,
            merged=[
                GuestMergedOut(token=guests_store.guest_token(key, secret), subject=subject)
                for key, subject in thread.merged.items()
            ],
            thread=[MessageOut.of(message, named=False) for message in thread.messages],
        )
        return cls(confirm_by=None, kept_days=KEPT_DAYS, question=question)


@router.post("/guest-enquiries", status_code=202)
@refuses(refusals.GuestsNotAnswered)
async def post_guest_enquiry(body: GuestEnquiryBody, run: Run) -> GuestAskedOut:
    """Ask a question without an account; an e-mail asks to confirm the address.

    While three such e-mails of the last day are not confirmed, an address gets no other. The answer
    does not say whether one was sent.
    """
    settings = settings_of(run)
    if "email" not in settings.channels:
        raise refusals.GuestsNotAnswered
    secret = settings.service_secret
    return GuestAskedOut(
        confirm_by=await run(
            guests_commands.ask_as_guest,
            question=Question(body.subject, body.text),
            language=body.language,
            address=guests_store.seal_address(secret, body.address),
            digest=guests_store.address_digest(secret, body.address),
            mailbox_digest=guests_store.mailbox_digest(secret, body.address),
        )
    )


@router.get("/guest-enquiries")
@refuses(refusals.NoSuchGuestEnquiry)
async def get_guest_enquiry(
    token: LinkToken, db: Db, now: BusinessTime, run: Run
) -> GuestEnquiryOut:
    """Show the question of a link with its messages, once its address is confirmed."""
    found = await thread_of_guest(db, _guest(token, run), now)
    return GuestEnquiryOut.of(found, run.settings.service_secret)


@router.post("/guest-enquiries/confirmation")
@refuses(refusals.NoSuchGuestEnquiry, refusals.NoSuchEnquiry, refusals.TooManyEnquiries)
async def post_confirmation(body: LinkBody, run: Run) -> GuestStateOut:
    """Confirm the address; the question then reaches the librarians."""
    return from_attributes(
        GuestStateOut, await run(guests_commands.confirm_guest, _guest(body.token, run))
    )


@router.post("/guest-enquiries/replies", status_code=201)
@refuses(
    refusals.NoSuchGuestEnquiry,
    refusals.NoSuchEnquiry,
    refusals.EnquiryFull,
    refusals.EnquiryMerged,
)
async def post_guest_reply(body: GuestReplyBody, run: Run) -> GuestStateOut:
    """Reply as the guest who asked; the question is open again."""
    return from_attributes(
        GuestStateOut,
        await run(enquiries_commands.reply_to_enquiry, _guest(body.token, run), None, body.text),
    )


@router.post("/guest-enquiries/closure")
@refuses(refusals.NoSuchGuestEnquiry, refusals.NoSuchEnquiry, refusals.EnquiryIsClosed)
async def post_guest_closure(body: LinkBody, run: Run) -> GuestStateOut:
    """Close the question; a reply opens it again."""
    return from_attributes(
        GuestStateOut,
        await run(
            enquiries_commands.close_enquiry, _guest(body.token, run), patron_id=None, seen=None
        ),
    )


@router.post("/guest-enquiries/erasure", status_code=204)
@refuses(refusals.NoSuchGuestEnquiry)
async def post_erasure(body: LinkBody, run: Run) -> None:
    """Delete the question, its messages and the address, confirmed or not."""
    await run(guests_commands.erase_guest, _guest(body.token, run))


@router.get("/guest-enquiries/files", response_class=Response, responses=FILE)
@refuses(refusals.NoSuchGuestEnquiry, refusals.NoSuchAttachment)
async def get_guest_file(
    token: LinkToken, file: Annotated[Id, Query(description="Id of the file.")], db: Db, run: Run
) -> Response:
    """Download a file of an answer."""
    attachment, content = await file_of_guest(db, _guest(token, run), file)
    return file_response(attachment, content)


def _guest(token: str, run: UseCases) -> str:
    """Return the id of the guest with this link. Raises NoSuchGuestEnquiry."""
    guest_id = guests_store.guest_of_token(token, run.settings.service_secret)
    if guest_id is None:
        raise refusals.NoSuchGuestEnquiry
    return guest_id
