"""The route that searches the catalogue."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, StringConstraints
from starlette.exceptions import HTTPException

from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.routes.titles import (
    StockOut,
    TitleInFull,
    TitleOut,
    stock_out,
)
from services.circulation.fields import Isbn
from services.circulation.rules.title import Title
from services.circulation.search import queries, store
from services.circulation.search.rules import Facets, Search, Sort
from services.circulation.search.store import MOST_FOUND
from shared.http.bodies import from_attributes
from shared.http.dependencies import Db
from shared.http.paging import Page, PageQuery, page_of

router = APIRouter(prefix="/v1")

TitleId = Annotated[str, StringConstraints(max_length=300)]
FEW = 3
"""Titles found from which on no other words are looked for."""
SUGGESTED = 6
Words = Annotated[str, Query(max_length=200)]
CODE = r"^[A-Za-z0-9-]*$"
Year = Annotated[int | None, Query(ge=1, le=9999)]


class FoundTitle(TitleOut):
    """A title that a search found, and where its copies are now."""

    availability: list[StockOut]
    waiting: int = Field(description="Holds that wait for it; 0 while a copy is available.")

    @classmethod
    def found(cls, found: queries.FoundTitle) -> "FoundTitle":
        """Build the response from a title and its copies."""
        out = TitleOut.of(found.title)
        return cls(**out.__dict__, availability=stock_out(found.copies), waiting=found.waiting)


class TitleWithCopies(TitleInFull):
    """A title with its copies, and how many readers wait."""

    waiting: int = Field(description="Holds that wait for it; 0 while a copy is available.")


class TitlesWithCopies(BaseModel):
    """The titles that there are of those asked for, in no order."""

    items: list[TitleWithCopies]


class CountOut(BaseModel):
    """Number of titles found that have a value of a facet."""

    value: str
    count: int


class FacetsOut(BaseModel):
    """The titles found, counted by each facet; the most frequent values first."""

    branches: list[CountOut] = Field(description="By code of a library that has the title.")
    available: int = Field(
        description="Titles that can be borrowed now, at `branch` if the search has one."
    )
    formats: list[CountOut]
    languages: list[CountOut] = Field(description="By code of ISO 639-2/B.")
    decades: list[CountOut] = Field(
        description="By the first year of the decade of publication, the latest first."
    )
    audiences: list[CountOut]

    @classmethod
    def of(cls, facets: Facets) -> "FacetsOut":
        """Build the response from the counts."""
        decades = sorted(facets.decades.items(), reverse=True)
        return cls(
            branches=_counts(facets.branches.items()),
            available=facets.available,
            formats=_counts(facets.formats.items()),
            languages=_counts(facets.languages.items()),
            decades=_counts(decades),
            audiences=_counts(facets.audiences.items()),
        )


def _counts(counts: Iterable[tuple[str | int, int]]) -> list[CountOut]:
    return [CountOut(value=str(value), count=count) for value, count in counts]


class TitlePage(BaseModel):
    """A page of titles; send `next` as `after` for the next page."""

    items: list[FoundTitle]
    next: str | None
    total: int | None = Field(
        default=None,
        description="Titles found. The first 10,000 can be paged through. Null: not counted.",
    )
    facets: FacetsOut | None = Field(default=None, description="With `facets=true`.")
    did_you_mean: str | None = Field(
        default=None,
        description="Words that were perhaps meant and that titles have, where `q` finds few "
        "titles. Counted searches alone have it.",
    )


class Suggestion(BaseModel):
    """A title that begins as somebody types."""

    id: str
    title: str
    authors: tuple[str, ...]
    kind: str


class Suggestions(BaseModel):
    """Titles to choose from while somebody types; the best match first."""

    items: list[Suggestion]


async def _asked(
    request: Request,
    *,
    q: Annotated[
        str,
        Query(
            max_length=200,
            description="Words of the title, authors, subjects or series, or a number such as an "
            "ISBN.",
        ),
    ] = "",
    title: Words = "",
    author: Words = "",
    subject: Words = "",
    series: Words = "",
    branch: Annotated[
        str, Query(max_length=40, pattern=CODE, description="Code of a library that has the title.")
    ] = "",
    available: Annotated[
        bool, Query(description="Only titles that can be borrowed now, at `branch` if it is given.")
    ] = False,
    format: Annotated[  # noqa: A002 - the field's word
        str, Query(max_length=40, pattern=CODE, description="Kind of the title, such as `book`.")
    ] = "",
    language: Annotated[
        str, Query(max_length=40, pattern=CODE, description="Code of ISO 639-2/B, such as `chi`.")
    ] = "",
    audience: Annotated[
        str, Query(max_length=40, pattern=CODE, description="Such as `children`.")
    ] = "",
    year_from: Year = None,
    year_to: Year = None,
    since: Annotated[
        date | None, Query(description="Only titles catalogued on this day or later.")
    ] = None,
    sort: Annotated[
        Sort | None,
        Query(description="Order of the titles; without it they are in that of cataloguing."),
    ] = None,
) -> Search | None:
    """Return the search of a request; None: by `q` alone, in the order of cataloguing."""
    midnight = datetime.combine(since, time(), request.app.state.settings.zone) if since else None
    asked = Search(
        q=q,
        title=title,
        author=author,
        subject=subject,
        series=series,
        branch=branch,
        available=available,
        format=format,
        language=language,
        audience=audience,
        year_from=year_from,
        year_to=year_to,
        since=int(midnight.timestamp()) if midnight else None,
        sort=sort or Sort.RELEVANCE,
    )
    return None if sort is None and asked == Search(q=q) else asked


@router.get("/titles")
async def get_titles(
    request: Request,
    db: Db,
    page: PageQuery,
    *,
    q: Annotated[str, Query(max_length=200)] = "",
    asked: Annotated[Search | None, Depends(_asked)] = None,
    facets: Annotated[bool, Query(description="Count the titles by each facet.")] = False,
    isbn: Annotated[
        Isbn | None, Query(description="An ISBN of the title, with 10 or 13 digits; alone.")
    ] = None,
) -> TitlePage:
    """Search the catalogue for titles that match all that is given.

    Every word has to begin a word of the title, of its authors, series or subjects, or of its
    numbers such as the ISBN; with `title`, `author`, `subject` and `series` a word of that part.
    Each Chinese character counts as a word, and simplified, traditional and accented spellings are
    the same. If there are more than eight words, the eight longest count.

    With `q` alone all titles are found, changes of this moment included, in the order of
    cataloguing. With any other parameter they come from an index that has the changes of a few
    seconds ago.
    """
    if asked is None and not facets:
        titles = await store.find_catalogued(db, isbn or q, page.limit, page.after)
        items = await _items(db, titles)
        return TitlePage(**page_of(items, page, lambda item: str(item.id)))
    offset = _offset(page)
    view: queries.CatalogueView = request.app.state.catalogue_view
    part, counts = await view.search(
        asked or Search(q=q), limit=page.limit, offset=offset, counted=facets
    )
    by_id = await catalogue_store.find_titles(db, part.ids)
    following = offset + page.limit
    return TitlePage(
        items=await _items(db, [by_id[one] for one in part.ids if one in by_id]),
        next=str(following) if following < min(part.total, MOST_FOUND) else None,
        total=part.total,
        facets=FacetsOut.of(counts) if counts else None,
        did_you_mean=(
            await view.correction(asked or Search(q=q))
            if counts and q and part.total < FEW and not offset
            else None
        ),
    )


@router.get("/title-copies")
async def get_title_copies(
    db: Db, ids: Annotated[tuple[TitleId, ...], Query(alias="id", max_length=50)] = ()
) -> TitlesWithCopies:
    """List the copies of up to 50 titles; an id without a title is left out."""
    titles = await catalogue_store.find_titles(db, ids)
    found = await queries.with_copies(db, list(titles.values()))
    each = [
        TitleWithCopies(
            **TitleInFull.with_copies(one.title, one.copies).__dict__, waiting=one.waiting
        )
        for one in found
    ]
    return TitlesWithCopies(items=each)


@router.get("/titles/suggestions")
async def get_suggestions(
    request: Request, db: Db, q: Annotated[str, Query(min_length=2, max_length=100)]
) -> Suggestions:
    """Suggest titles for the beginning of a search, at most six."""
    view: queries.CatalogueView = request.app.state.catalogue_view
    found, _ = await view.search(Search(q=q), limit=SUGGESTED, offset=0, counted=False)
    titles = await catalogue_store.find_titles(db, found.ids)
    shown = [titles[one] for one in found.ids if one in titles]
    return Suggestions(items=[from_attributes(Suggestion, one) for one in shown])


@router.get("/titles/most-borrowed")
async def get_most_borrowed(request: Request, db: Db, page: PageQuery) -> TitlePage:
    """List the titles that were borrowed most lately, counted anew every ten minutes.

    Of the latest 10,000 loans that are stored, titles borrowed at least three times count.
    """
    view: queries.CatalogueView = request.app.state.catalogue_view
    ids = (await view.most_borrowed())[: page.limit]
    by_id = await catalogue_store.find_titles(db, ids)
    return TitlePage(items=await _items(db, [by_id[one] for one in ids if one in by_id]), next=None)


def _offset(page: Page) -> int:
    """Return the number of titles before a page."""
    after = page.after or "0"
    if not (after.isascii() and after.isdecimal() and int(after) < MOST_FOUND):
        raise HTTPException(422, "after: send `next` of the previous page")
    return int(after)


async def _items(db: Db, titles: Sequence[Title]) -> list[FoundTitle]:
    return [FoundTitle.found(each) for each in await queries.with_copies(db, titles)]
