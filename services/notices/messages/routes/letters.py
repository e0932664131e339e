"""Letters: make those of a library and day, print and post them."""

import asyncio
import datetime as dt

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.notices.branches import queries as branches_queries
from services.notices.branches.refusals import NoSuchBranch
from services.notices.channels.refusals import LettersPrinted, NoFont, NoLetters, NoSuchRun
from services.notices.channels.store import letters as letters_store
from services.notices.fields import Code, Id, Language
from services.notices.messages.commands.letters import make_letters, note_posted, note_print
from services.notices.messages.queries.letter_pages import check_font, pdf_of
from services.notices.messages.queries.letters import compose, prepare
from services.notices.settings import settings_of
from shared.auth import Staff
from shared.clock import library_day, wall_clock
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery, page_of
from shared.refusals import or_refuse, refuses

router = APIRouter(prefix="/v1", tags=["letters"])


class LettersIn(Body):
    """The library whose letters of today are to be made."""

    branch: Code


class PrintIn(Body):
    """The language of the control sheet, which staff count by."""

    language: Language = "en"


class LettersOut(BaseModel):
    """The letters of a library and day, without whose they are."""

    id: str
    branch: str
    day: dt.date
    letters: int = Field(description="Number of envelopes.")
    notifications: int = Field(description="Number of notifications in them.")
    made_at: dt.datetime
    prints: int = Field(description="Number of times that they were printed.")
    posted_at: dt.datetime | None


class LettersPage(BaseModel):
    """A page of the letters of libraries and days, and those that wait to be made."""

    waiting: dict[str, int] = Field(
        description="Number of patrons to whom letters wait, by the code of the library."
    )
    items: list[LettersOut]
    next: str | None


@router.get("/letter-runs")
async def get_letters(caller: Staff, db: Db, page: PageQuery) -> LettersPage:
    """List the letters that were made, the latest day first, and count those that wait."""
    runs = await letters_store.find_runs(db, page.after, page.limit + 1)
    found = page_of(runs, page, lambda run: run.id)
    return LettersPage(
        waiting=await letters_store.count_held(db),
        items=[from_attributes(LettersOut, one) for one in found["items"]],
        next=found["next"],
    )


@router.post("/letter-runs", status_code=201)
@refuses(NoSuchBranch, NoLetters, LettersPrinted, NoFont)
async def post_letters(body: LettersIn, caller: Staff, now: BusinessTime, run: Run) -> LettersOut:
    """Make the letters of a library that wait, once a day, with the facts of this moment.

    What became untrue meanwhile, such as a fine that was paid, is left out. At most 500
    notifications are taken; others wait for the next day.
    """
    check_font(settings_of(run).letter_font)
    day = library_day(now, run.settings.zone)
    prepared = await prepare(run, body.branch, day)
    made = await run(make_letters, branch=body.branch, day=day, prepared=prepared)
    if made is None:
        await branches_queries.get(run.database, body.branch)
        raise NoLetters
    return from_attributes(LettersOut, made)


PDF = {"application/pdf": {"schema": {"type": "string"}, "example": "%PDF-1.3 …"}}


@router.post(
    "/letter-runs/{run_id}/prints",
    status_code=201,
    response_class=Response,
    responses={201: {"description": "The letters as a PDF.", "content": PDF}},
)
@refuses(NoSuchRun, NoFont)
async def post_print(run_id: Id, body: PrintIn, caller: Staff, run: Run) -> Response:
    """Print letters: a PDF with the letters and a control sheet. Prints after the first are marked.

    Names and addresses are those of now. Letters to patrons without an address, or erased since,
    are left out; the control sheet names their numbers.
    """
    settings = settings_of(run)
    font = check_font(settings.letter_font)
    found = or_refuse(await letters_store.find_run(run.database, run_id), NoSuchRun)
    letters = await compose(run, found)
    patron_ids = [one.patron_id for one in letters]
    printed = await run.in_steps()(note_print, run_id=run_id, patron_ids=patron_ids)
    content = await asyncio.to_thread(
        pdf_of,
        printed,
        letters,
        font=font,
        url=settings.public_url,
        language=body.language,
        at=wall_clock(),
    )
    headers = {
        "Content-Disposition": f'attachment; filename="letters-{printed.id}.pdf"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(content, 201, headers, media_type="application/pdf")


@router.post("/letter-runs/{run_id}/posting")
@refuses(NoSuchRun)
async def post_posting(run_id: Id, caller: Staff, run: Run) -> LettersOut:
    """Record that the letters are posted. Repeating it changes nothing."""
    return from_attributes(LettersOut, await run(note_posted, run_id))
