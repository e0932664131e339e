"""Routes of a patron's lists of titles, and of a list that its owner has opened to others."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, StringConstraints

from services.circulation.fields import Id, Line
from services.circulation.lists import store
from services.circulation.lists.commands import (
    add_title,
    close_list,
    make_list,
    open_list,
    remove_list,
    remove_title,
    rename_list,
)
from services.circulation.refusals import ListFull, ListLimit, NoSuchList, NoSuchTitle
from services.circulation.rules.title_list import MOST_LISTS, TitleList
from shared.auth import Patron
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.refusals import or_refuse, refuses

router = APIRouter(prefix="/v1")

Number = Annotated[int, Path(ge=0, le=MOST_LISTS - 1)]
Link = Annotated[str, Path(max_length=100)]


class NameIn(Body):
    """The name of a list."""

    name: Annotated[Line, StringConstraints(max_length=100)]


class ListedOut(BaseModel):
    """A title on a list."""

    title_id: str
    title: str = Field(description="Its name when it was put on the list.")


class SharedList(BaseModel):
    """A list as anyone reads it who has its link; it names no person."""

    name: str = Field(description="Empty: the list for later.")
    titles: list[ListedOut] = Field(description="The title that was added last first.")


class ListOut(SharedList):
    """A patron's own list."""

    number: int = Field(description="0: the list for later, which each patron has.")
    link: str | None = Field(
        description="Secret for `/v1/shared-lists/{link}`; null: nobody else can read the list."
    )
    version: int

    @classmethod
    def of(cls, kept: TitleList) -> "ListOut":
        """Build the response from a list."""
        return from_attributes(cls, kept, titles=_titles(kept))


class Lists(BaseModel):
    """A patron's lists, the one for later first."""

    items: list[ListOut]


def _titles(kept: TitleList) -> list[ListedOut]:
    return [ListedOut(title_id=one.title_id, title=one.title) for one in kept.titles]


@router.get("/me/lists")
async def get_lists(caller: Patron, db: Db) -> Lists:
    """List the patron's own lists with what is on them."""
    return Lists(items=[ListOut.of(one) for one in await store.find_all(db, caller.id)])


@router.post("/me/lists", status_code=201)
@refuses(ListLimit)
async def post_list(body: NameIn, caller: Patron, run: Run) -> ListOut:
    """Make a list with a name."""
    return ListOut.of(await run(make_list, caller.id, body.name))


@router.put("/me/lists/{number}/name")
@refuses(NoSuchList)
async def put_name(number: Number, body: NameIn, caller: Patron, run: Run) -> ListOut:
    """Rename a list; that for later has no name."""
    return ListOut.of(await run(rename_list, caller.id, number, body.name))


@router.delete("/me/lists/{number}", status_code=204)
@refuses(NoSuchList)
async def delete_list(number: Number, caller: Patron, run: Run) -> None:
    """Delete a list with what is on it."""
    await run(remove_list, caller.id, number)


@router.put("/me/lists/{number}/titles/{title_id}")
@refuses(NoSuchList, NoSuchTitle, ListFull)
async def put_title(number: Number, title_id: Id, caller: Patron, run: Run) -> ListOut:
    """Put a title on a list. Repeating it changes nothing."""
    return ListOut.of(await run(add_title, caller.id, number, title_id))


@router.delete("/me/lists/{number}/titles/{title_id}")
@refuses(NoSuchList)
async def delete_title(number: Number, title_id: Id, caller: Patron, run: Run) -> ListOut:
    """Take a title off a list. Repeating it changes nothing."""
    return ListOut.of(await run(remove_title, caller.id, number, title_id))


@router.post("/me/lists/{number}/link")
@refuses(NoSuchList)
async def post_link(number: Number, caller: Patron, run: Run) -> ListOut:
    """Make a new link, under which anyone can read the list; the link until now ends at once."""
    return ListOut.of(await run(open_list, caller.id, number))


@router.delete("/me/lists/{number}/link", status_code=204)
@refuses(NoSuchList)
async def delete_link(number: Number, caller: Patron, run: Run) -> None:
    """End the link of a list at once. Repeating it changes nothing."""
    await run(close_list, caller.id, number)


@router.get("/shared-lists/{link}")
@refuses(NoSuchList)
async def get_shared(link: Link, db: Db) -> SharedList:
    """Read a list that its owner has opened to others."""
    kept = or_refuse(await store.find_shared(db, link), NoSuchList)
    return SharedList(name=kept.name, titles=_titles(kept))
