"""Routes of Ask a Librarian: patrons' questions and replies, and the work of the staff on them."""

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.notices.domain.enquiry import Enquiry, Librarian, Message, State
from services.notices.domain.refusals import (
    BadCursor,
    EnquiryChanged,
    EnquiryFull,
    EnquiryIsClosed,
    NoSuchBranch,
    NoSuchEnquiry,
    NoSuchPatron,
    NoSuchTitle,
    TooManyEnquiries,
)
from services.notices.queries import enquiries
from services.notices.queries.enquiries import Figures, Queue
from services.notices.routes.fields import Code, Id, Language, Name, Text
from services.notices.usecases.answer_enquiry import AnswerEnquiry, answer_enquiry
from services.notices.usecases.assign_enquiry import (
    PassOnEnquiry,
    TakeEnquiry,
    pass_on_enquiry,
    take_enquiry,
)
from services.notices.usecases.close_enquiry import CloseEnquiry, close_enquiry
from services.notices.usecases.note_on_enquiry import NoteOnEnquiry, note_on_enquiry
from services.notices.usecases.open_enquiry import OpenEnquiry, open_enquiry
from services.notices.usecases.reply_to_enquiry import ReplyToEnquiry, reply_to_enquiry
from shared.auth import Caller, Patron, PatronOrStaff, Staff
from shared.http.bodies import Body
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["enquiries"])

Seen = Annotated[
    int,
    Field(
        ge=1,
        le=1_000_000_000,
        description="Version of the question that you have read. If it has a newer one, the "
        "command is refused, so that two librarians never answer at once.",
    ),
]


class EnquiryBody(Body):
    """A question to the librarians."""

    subject: Name
    text: Text
    language: Language | None = Field(
        default=None, description="Language of the question; null: the patron's."
    )
    branch: Code | None = Field(
        default=None, description="Library whose staff are asked; null: any."
    )
    title_id: Id | None = Field(default=None, description="Title that the question is about.")


class ReplyBody(Body):
    """A patron's reply, or a librarian's note."""

    text: Text


class AnswerBody(Body):
    """A librarian's answer, or a question to the patron."""

    text: Text
    asks: bool = Field(
        default=False, description="True if the patron's reply is needed before an answer."
    )
    seen: Seen


class AssignmentBody(Body):
    """An assignment of a question to the caller, or to the staff of a library."""

    to: Literal["me", "staff"]
    branch: Code | None = Field(
        default=None, description="With `staff`: the library whose staff get it; null: any."
    )
    seen: Seen


class EnquiryClosureBody(Body):
    """The closing of a question; staff send the version that they have read."""

    seen: Seen | None = None


class MessageOut(BaseModel):
    """A message of a question, or a note of the staff."""

    id: str
    at: dt.datetime
    by: Literal["patron", "staff"]
    author: str | None = Field(description="Name of the librarian; shown to staff only.")
    text: str
    private: bool = Field(description="True for a note, which only staff see.")

    @classmethod
    def of(cls, message: Message, *, named: bool) -> "MessageOut":
        """Build the response from a message; `named` tells who of the staff wrote it."""
        author = message.author
        return cls(
            id=message.id,
            at=message.at,
            by="staff" if author else "patron",
            author=author.name if author and named else None,
            text=message.text,
            private=message.private,
        )


class EnquiryOut(BaseModel):
    """A question to the librarians, without its messages."""

    id: str
    patron_id: str
    subject: str
    state: State = Field(
        description="`new`: no librarian has taken it. `assigned`: a librarian works on it. "
        "`waiting`: the library waits for the patron's reply. `answered`. `closed`: a reply opens "
        "it again."
    )
    language: str
    branch: str | None
    title_id: str | None
    opened_at: dt.datetime
    changed_at: dt.datetime
    librarian: str | None = Field(description="Name of who works on it; shown to staff only.")
    messages: int
    version: int

    @classmethod
    def of(cls, enquiry: Enquiry, caller: Caller) -> "EnquiryOut":
        """Build the response from an enquiry, with names of staff for staff only."""
        named = "staff" in caller.roles and enquiry.librarian
        return cls(
            id=enquiry.id,
            patron_id=enquiry.patron_id,
            subject=enquiry.subject,
            state=enquiry.state,
            language=enquiry.language,
            branch=enquiry.branch,
            title_id=enquiry.title_id,
            opened_at=enquiry.opened_at,
            changed_at=enquiry.changed_at,
            librarian=named.name if named else None,
            messages=enquiry.messages,
            version=enquiry.version,
        )


class ThreadOut(EnquiryOut):
    """A question with its messages, the oldest first."""

    thread: list[MessageOut]


class EnquiryPage(BaseModel):
    """A page of questions."""

    items: list[EnquiryOut]
    next: str | None


class WaitingOut(BaseModel):
    """The questions of some age that wait for the library."""

    under_days: int | None = Field(
        description="Age in days that they have not reached; null: the older ones."
    )
    count: int


class FiguresOut(BaseModel):
    """The figures of the last 30 days, and the questions that wait now."""

    asked: int
    answered: int = Field(description="Those asked in these days that have an answer.")
    median_hours: float | None = Field(description="Median time to the first answer.")
    ninth_decile_hours: float | None = Field(
        description="Nine of ten first answers came within this time."
    )
    waiting: list[WaitingOut]

    @classmethod
    def of(cls, figures: Figures) -> "FiguresOut":
        """Build the response from the figures."""
        return cls(
            asked=figures.asked,
            answered=figures.answered,
            median_hours=figures.median_hours,
            ninth_decile_hours=figures.ninth_decile_hours,
            waiting=[
                WaitingOut(under_days=days, count=count) for days, count in figures.waiting.items()
            ],
        )


@router.post("/enquiries", status_code=201)
@refuses(NoSuchPatron, NoSuchBranch, NoSuchTitle, TooManyEnquiries)
async def post_enquiry(body: EnquiryBody, caller: Patron, run: Run) -> EnquiryOut:
    """Ask the librarians a question."""
    command = OpenEnquiry(caller.id, **body.model_dump())
    return EnquiryOut.of(await run(open_enquiry, command), caller)


@router.get("/me/enquiries")
@refuses(BadCursor)
async def get_own_enquiries(caller: Patron, db: Db, page: PageQuery) -> EnquiryPage:
    """List the patron's questions, the last changed first."""
    found = await enquiries.page_of_patron(db, caller.id, page)
    items = [EnquiryOut.of(one, caller) for one in found["items"]]
    return EnquiryPage(items=items, next=found["next"])


@router.get("/enquiries")
@refuses(BadCursor)
async def get_enquiries(
    caller: Staff,
    db: Db,
    page: PageQuery,
    queue: Annotated[
        Queue, Query(description="`mine`: those that the caller works on. Others are states.")
    ] = "new",
    branch: Annotated[
        Code | None, Query(description="Only those for this library's staff, or for anyone.")
    ] = None,
) -> EnquiryPage:
    """List a queue: the longest waiting first; of those answered or closed, the newest first."""
    found = await enquiries.page_of_queue(db, queue, branch, caller.id, page)
    items = [EnquiryOut.of(one, caller) for one in found["items"]]
    return EnquiryPage(items=items, next=found["next"])


@router.get("/enquiries/figures")
async def get_figures(caller: Staff, db: Db, now: BusinessTime) -> FiguresOut:
    """Show how fast the library answered in the last 30 days, and how many questions wait."""
    return FiguresOut.of(await enquiries.figures(db, now))


@router.get("/enquiries/{enquiry_id}")
@refuses(NoSuchEnquiry)
async def get_enquiry(enquiry_id: Id, caller: PatronOrStaff, db: Db) -> ThreadOut:
    """Show a question with its messages; the notes only to staff."""
    enquiry, messages = await enquiries.enquiry_with_messages(db, enquiry_id, caller)
    named = "staff" in caller.roles
    return ThreadOut(
        **EnquiryOut.of(enquiry, caller).model_dump(),
        thread=[MessageOut.of(message, named=named) for message in messages],
    )


@router.post("/enquiries/{enquiry_id}/replies", status_code=201)
@refuses(NoSuchEnquiry, EnquiryFull)
async def post_reply(enquiry_id: Id, body: ReplyBody, caller: Patron, run: Run) -> EnquiryOut:
    """Reply, as the patron who asked; the question is open again."""
    command = ReplyToEnquiry(enquiry_id, caller.id, body.text)
    return EnquiryOut.of(await run(reply_to_enquiry, command), caller)


@router.post("/enquiries/{enquiry_id}/answers", status_code=201)
@refuses(NoSuchEnquiry, EnquiryChanged, EnquiryIsClosed, EnquiryFull)
async def post_answer(enquiry_id: Id, body: AnswerBody, caller: Staff, run: Run) -> EnquiryOut:
    """Answer, or ask the patron something; the patron is notified."""
    command = AnswerEnquiry(enquiry_id, _librarian(caller), body.text, body.seen, body.asks)
    return EnquiryOut.of(await run(answer_enquiry, command), caller)


@router.post("/enquiries/{enquiry_id}/notes", status_code=201)
@refuses(NoSuchEnquiry, EnquiryFull)
async def post_note(enquiry_id: Id, body: ReplyBody, caller: Staff, run: Run) -> EnquiryOut:
    """Write a note that only staff see."""
    command = NoteOnEnquiry(enquiry_id, _librarian(caller), body.text)
    return EnquiryOut.of(await run(note_on_enquiry, command), caller)


@router.post("/enquiries/{enquiry_id}/assignment")
@refuses(NoSuchEnquiry, NoSuchBranch, EnquiryChanged, EnquiryIsClosed)
async def post_assignment(
    enquiry_id: Id, body: AssignmentBody, caller: Staff, run: Run
) -> EnquiryOut:
    """Take a question, or pass it on to the staff of a library or to all."""
    if body.to == "me":
        take = TakeEnquiry(enquiry_id, _librarian(caller), body.seen)
        return EnquiryOut.of(await run(take_enquiry, take), caller)
    pass_on = PassOnEnquiry(enquiry_id, body.branch, body.seen)
    return EnquiryOut.of(await run(pass_on_enquiry, pass_on), caller)


@router.post("/enquiries/{enquiry_id}/closure")
@refuses(NoSuchEnquiry, EnquiryChanged, EnquiryIsClosed)
async def post_enquiry_closure(
    enquiry_id: Id, body: EnquiryClosureBody, caller: PatronOrStaff, run: Run
) -> EnquiryOut:
    """Close a question; a reply of the patron opens it again."""
    owner = None if "staff" in caller.roles else caller.id
    command = CloseEnquiry(enquiry_id, owner, body.seen)
    return EnquiryOut.of(await run(close_enquiry, command), caller)


def _librarian(caller: Caller) -> Librarian:
    return Librarian(caller.id, caller.name)
