"""The bodies and answers of Ask a Librarian."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from services.notices.enquiries.queries import Figures, Thread
from services.notices.enquiries.rules.enquiries import (
    MOST_IN_MESSAGE,
    Enquiry,
    Message,
    Outcome,
    State,
)
from services.notices.fields import Code, Id, Language, Name, Text
from shared.auth import Caller
from shared.http.bodies import ONE_LINE, Body, from_attributes

Seen = Annotated[
    int,
    Field(
        ge=1,
        le=1_000_000_000,
        description="Version of the question that you have read. If it has a newer one, the "
        "command is refused, so that two librarians never answer at once.",
    ),
]


FILES = "Files that the caller has uploaded (POST /v1/attachments), each for one message only."
Attachments = Annotated[tuple[Id, ...], Field(max_length=MOST_IN_MESSAGE)]


class WantedBody(Body):
    """A suggested purchase, beside its title, which is the subject."""

    author: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), ONE_LINE] = ""
    isbn: Annotated[str, StringConstraints(pattern=r"^[0-9Xx -]{0,20}$")] = ""


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
    attachments: Attachments = Field(default=(), description=FILES)
    wanted: WantedBody | None = Field(
        default=None, description="Makes it a suggestion to buy the title that `subject` names."
    )


class ReplyBody(Body):
    """A patron's reply."""

    text: Text
    attachments: Attachments = Field(default=(), description=FILES)


class NoteBody(Body):
    """A librarian's note."""

    text: Text


class AnswerBody(Body):
    """A librarian's answer, or a question to the patron."""

    text: Text
    asks: bool = Field(
        default=False, description="True if the patron's reply is needed before an answer."
    )
    seen: Seen
    attachments: Attachments = Field(default=(), description=FILES)
    outcome: Outcome | None = Field(
        default=None, description="Of a suggestion: whether the library buys the title."
    )


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


class MergerBody(Body):
    """The merging of a question into another of the same patron, which the caller takes."""

    into: Id = Field(description="Question in which it goes on.")
    seen: Seen
    seen_into: Seen


class FileOut(BaseModel):
    """A file of a message, to be downloaded from /v1/attachments/{id}."""

    id: str
    name: str
    kind: str = Field(description="Media type, as found in its content.")
    size: int = Field(description="Number of bytes.")


class MessageOut(BaseModel):
    """A message of a question, or a note of the staff."""

    id: str
    at: dt.datetime
    by: Literal["patron", "staff"]
    author: str | None = Field(description="Name of the librarian; shown to staff only.")
    text: str
    private: bool = Field(description="True for a note, which only staff see.")
    attachments: list[FileOut]

    @classmethod
    def of(cls, message: Message, *, named: bool) -> "MessageOut":
        """Build the answer from a message; `named` tells who of the staff wrote it."""
        author = message.author
        return from_attributes(
            cls,
            message,
            by="staff" if author else "patron",
            author=author.name if author and named else None,
            attachments=[from_attributes(FileOut, file) for file in message.attachments],
        )


class WantedOut(BaseModel):
    """A suggested purchase, beside its title, which is the subject."""

    author: str
    isbn: str


class EnquiryOut(BaseModel):
    """A question to the librarians, without its messages."""

    id: str
    patron_id: str | None = Field(description="Patron who asked; null: a guest, by e-mail.")
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
    merged_into: str | None = Field(
        description="Question in which this one goes on, if the library merged them."
    )
    version: int
    wanted: WantedOut | None = Field(description="Null: a question, not a suggestion.")
    outcome: Outcome | None = Field(description="Answer to a suggestion; null: none yet.")

    @classmethod
    def of(cls, enquiry: Enquiry, caller: Caller) -> "EnquiryOut":
        """Build the answer from an enquiry, with names of staff for staff only."""
        named = "staff" in caller.roles and enquiry.librarian
        wanted = enquiry.wanted and from_attributes(WantedOut, enquiry.wanted)
        return from_attributes(cls, enquiry, librarian=named.name if named else None, wanted=wanted)


class MergedOut(BaseModel):
    """A question that was merged into another."""

    id: str
    subject: str


class ThreadOut(EnquiryOut):
    """A question with its messages, the oldest first."""

    title: str | None = Field(description="Name of the title; null: no title, or not known.")
    merged: list[MergedOut] = Field(description="Questions that were merged into this one.")
    thread: list[MessageOut]

    @classmethod
    def of_thread(cls, thread: Thread, caller: Caller) -> "ThreadOut":
        """Build the answer from a thread, with names of staff for staff only."""
        named = "staff" in caller.roles
        return cls(
            **EnquiryOut.of(thread.enquiry, caller).model_dump(),
            title=thread.title,
            merged=[MergedOut(id=key, subject=text) for key, text in thread.merged.items()],
            thread=[MessageOut.of(message, named=named) for message in thread.messages],
        )


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
        """Build the answer from the figures."""
        return from_attributes(
            cls,
            figures,
            waiting=[
                WaitingOut(under_days=days, count=count) for days, count in figures.waiting.items()
            ],
        )
