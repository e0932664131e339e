"""Notes of the staff about patrons: read, add and delete."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.accounts.cardholders import store as cardholders_store
from services.accounts.fields import PathId
from services.accounts.patrons import store
from services.accounts.patrons.commands.notes import add_note, delete_note
from services.accounts.patrons.refusals import NoSuchNote
from services.accounts.patrons.rules import StaffNote
from services.accounts.refusals import NoSuchPatron
from shared.audit_trail import shows_patrons
from shared.auth import Staff
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["patrons"])

MOST_SHOWN = 100
"""Notes that are listed, the newest first."""


class StaffNoteIn(Body):
    """The text of a note. The patron can read it in the copy of their data."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class StaffNoteOut(BaseModel):
    """A note of the staff about a patron."""

    id: str
    text: str
    by: str = Field(description="Id of the account of the staff.")
    by_name: str = Field(description="Its name; empty once the account is removed.")
    at: datetime


class StaffNotesOut(BaseModel):
    """The notes about a patron, the newest first."""

    items: list[StaffNoteOut]


@router.get("/patrons/{patron_id}/notes")
@shows_patrons
async def get_notes(patron_id: PathId, _caller: Staff, db: Db) -> StaffNotesOut:
    """List the newest notes of the staff about a patron."""
    return StaffNotesOut(items=await _out(db, await store.find_notes(db, patron_id, MOST_SHOWN)))


@router.post("/patrons/{patron_id}/notes", status_code=201)
@refuses(NoSuchPatron)
async def post_note(
    patron_id: PathId, body: StaffNoteIn, caller: Staff, run: Run, db: Db
) -> StaffNoteOut:
    """Add a note about a patron. It is deleted when the patron is erased."""
    return (await _out(db, [await run(add_note, patron_id, body.text, caller.id)]))[0]


@router.delete("/patrons/{patron_id}/notes/{note_id}", status_code=204)
@refuses(NoSuchNote)
async def delete_staff_note(patron_id: PathId, note_id: PathId, caller: Staff, run: Run) -> None:
    """Delete a note about a patron."""
    await run(delete_note, patron_id, note_id)


async def _out(db: Db, notes: list[StaffNote]) -> list[StaffNoteOut]:
    names = await cardholders_store.find_names(db, {note.by for note in notes})
    return [from_attributes(StaffNoteOut, note, by_name=names.get(note.by, "")) for note in notes]
