"""Routes of Ask a Librarian: patrons' questions and replies, and the work of the staff on them."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.notices.branches.refusals import NoSuchBranch
from services.notices.enquiries import queries
from services.notices.enquiries.commands import enquiries as commands
from services.notices.enquiries.queries import Queue, QueueQuery
from services.notices.enquiries.refusals import (
    EnquiryChanged,
    EnquiryFull,
    EnquiryIsClosed,
    EnquiryMerged,
    NoSuchAttachment,
    NoSuchEnquiry,
    NotMergeable,
    NotSuggested,
    TooManyAttachments,
    TooManyEnquiries,
)
from services.notices.enquiries.routes.models import (
    AnswerBody,
    AssignmentBody,
    EnquiryBody,
    EnquiryClosureBody,
    EnquiryOut,
    EnquiryPage,
    FiguresOut,
    MergerBody,
    NoteBody,
    ReplyBody,
    ThreadOut,
)
from services.notices.enquiries.rules.enquiries import Librarian
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.fields import Code, Id
from services.notices.patrons.refusals import NoSuchPatron, NoSuchTitle
from services.notices.refusals import BadCursor
from shared.audit_trail import shows_patrons
from shared.auth import Caller, Patron, PatronOrStaff, Staff
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["enquiries"])


@router.post("/enquiries", status_code=201)
@refuses(
    NoSuchPatron, NoSuchBranch, NoSuchTitle, TooManyEnquiries, NoSuchAttachment, TooManyAttachments
)
async def post_enquiry(body: EnquiryBody, caller: Patron, run: Run) -> EnquiryOut:
    """Ask the librarians a question."""
    return EnquiryOut.of(
        await run(commands.open_enquiry, patron_id=caller.id, **body.model_dump()), caller
    )


@router.get("/me/enquiries")
@refuses(BadCursor)
async def get_own_enquiries(caller: Patron, db: Db, page: PageQuery) -> EnquiryPage:
    """List the patron's questions, the last changed first."""
    found = await queries.page_of_patron(db, caller.id, page)
    items = [EnquiryOut.of(one, caller) for one in found["items"]]
    return EnquiryPage(items=items, next=found["next"])


@router.get("/enquiries")
@refuses(BadCursor, NoSuchEnquiry)
@shows_patrons
async def get_enquiries(
    caller: Staff,
    db: Db,
    page: PageQuery,
    *,
    queue: Annotated[
        Queue,
        Query(
            description="`mine`: those that the caller works on. `open`: those not closed. `all`. "
            "`suggested`: suggestions to buy something, not closed. "
            "Others are states."
        ),
    ] = "new",
    branch: Annotated[
        Code | None, Query(description="Only those for this library's staff, or for anyone.")
    ] = None,
    patron_id: Annotated[Id | None, Query(description="Only those of this patron.")] = None,
    same_reader: Annotated[
        Id | None, Query(description="Only those of the patron or guest who asked this question.")
    ] = None,
    librarian: Annotated[
        str,
        Query(
            max_length=200,
            pattern=r"^[^\x00]*$",  # the database takes no regular expression with a null character
            description="Beginning of the name of who works on it.",
        ),
    ] = "",
    q: Annotated[
        str, Query(max_length=200, description="Words of the subject, a message or a note.")
    ] = "",
) -> EnquiryPage:
    """List a queue: the longest waiting first; answered, closed or all: the newest first.

    With `q`, those of which one message has all words, as in a search of the question bank; of
    more than 1,000 messages the newest.
    """
    query = QueueQuery(queue, caller.id, branch, patron_id, same_reader, librarian, q)
    found = await queries.page_of_queue(db, query, page)
    items = [EnquiryOut.of(one, caller) for one in found["items"]]
    return EnquiryPage(items=items, next=found["next"])


@router.get("/enquiries/figures")
async def get_figures(caller: Staff, db: Db, now: BusinessTime) -> FiguresOut:
    """Show how fast the library answered in the last 30 days, and how many questions wait."""
    return FiguresOut.of(await queries.figures(db, now))


MOST_COUNTED = 1000


class EnquiryCount(BaseModel):
    """The number of new questions for a library's staff, or for anyone."""

    branch: str
    most: int = Field(description="Counted up to this; a greater number means more.")
    count: int


@router.get("/enquiries/count")
async def get_count(branch: Annotated[Code, Query()], caller: Staff, db: Db) -> EnquiryCount:
    """Count the questions that wait for a librarian of a library, or of any."""
    count = await enquiries_store.count_new(db, branch, MOST_COUNTED)
    return EnquiryCount(branch=branch, most=MOST_COUNTED, count=count)


@router.get("/enquiries/{enquiry_id}")
@refuses(NoSuchEnquiry)
@shows_patrons
async def get_enquiry(enquiry_id: Id, caller: PatronOrStaff, db: Db) -> ThreadOut:
    """Show a question with its messages; the notes only to staff."""
    return ThreadOut.of_thread(await queries.thread_of(db, enquiry_id, caller), caller)


@router.post("/enquiries/{enquiry_id}/replies", status_code=201)
@refuses(NoSuchEnquiry, EnquiryFull, EnquiryMerged, NoSuchAttachment, TooManyAttachments)
async def post_reply(enquiry_id: Id, body: ReplyBody, caller: Patron, run: Run) -> EnquiryOut:
    """Reply, as the patron who asked; the question is open again."""
    return EnquiryOut.of(
        await run(commands.reply_to_enquiry, enquiry_id, caller.id, body.text, body.attachments),
        caller,
    )


@router.post("/enquiries/{enquiry_id}/answers", status_code=201)
@refuses(
    NoSuchEnquiry,
    EnquiryChanged,
    EnquiryIsClosed,
    EnquiryFull,
    NotSuggested,
    NoSuchAttachment,
    TooManyAttachments,
)
async def post_answer(enquiry_id: Id, body: AnswerBody, caller: Staff, run: Run) -> EnquiryOut:
    """Answer, or ask the patron something; the patron is notified."""
    return EnquiryOut.of(
        await run(
            commands.answer_enquiry,
            enquiry_id=enquiry_id,
            librarian=_librarian(caller),
            **body.model_dump(),
        ),
        caller,
    )


@router.post("/enquiries/{enquiry_id}/notes", status_code=201)
@refuses(NoSuchEnquiry, EnquiryFull)
async def post_note(enquiry_id: Id, body: NoteBody, caller: Staff, run: Run) -> EnquiryOut:
    """Write a note that only staff see."""
    return EnquiryOut.of(
        await run(commands.note_on_enquiry, enquiry_id, _librarian(caller), body.text), caller
    )


@router.post("/enquiries/{enquiry_id}/assignment")
@refuses(NoSuchEnquiry, NoSuchBranch, EnquiryChanged, EnquiryIsClosed)
async def post_assignment(
    enquiry_id: Id, body: AssignmentBody, caller: Staff, run: Run
) -> EnquiryOut:
    """Take a question, or pass it on to the staff of a library or to all."""
    if body.to == "me":
        return EnquiryOut.of(
            await run(commands.take_enquiry, enquiry_id, _librarian(caller), body.seen), caller
        )
    return EnquiryOut.of(
        await run(commands.pass_on_enquiry, enquiry_id, body.branch, body.seen), caller
    )


@router.post("/enquiries/{enquiry_id}/closure")
@refuses(NoSuchEnquiry, EnquiryChanged, EnquiryIsClosed)
async def post_enquiry_closure(
    enquiry_id: Id, body: EnquiryClosureBody, caller: PatronOrStaff, run: Run
) -> EnquiryOut:
    """Close a question; a reply of the patron opens it again."""
    owner = None if "staff" in caller.roles else caller.id
    return EnquiryOut.of(await run(commands.close_enquiry, enquiry_id, owner, body.seen), caller)


@router.post("/enquiries/{enquiry_id}/merger")
@refuses(NoSuchEnquiry, NotMergeable, EnquiryChanged, EnquiryIsClosed)
async def post_merger(enquiry_id: Id, body: MergerBody, caller: Staff, run: Run) -> EnquiryOut:
    """Merge a question into another of the same patron, so that both are answered there.

    It is closed, and its patron is told. The caller takes the other question.
    """
    return EnquiryOut.of(
        await run(
            commands.merge_enquiry,
            enquiry_id=enquiry_id,
            librarian=_librarian(caller),
            **body.model_dump(),
        ),
        caller,
    )


def _librarian(caller: Caller) -> Librarian:
    return Librarian(caller.id, caller.name)
