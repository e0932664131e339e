"""The route that searches the catalogue."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.routes.titles import StockOut, TitleOut, stock_out
from services.circulation.rules.title import Title
from services.circulation.search import queries, store
from services.circulation.search.rules import Facets, Search, Sort
from services.circulation.search.store import MOST_FOUND
from shared.http.dependencies import Db
from shared.http.paging import Page, PageQuery, page_of

router = APIRouter(prefix="/v1")

Words = Annotated[str, Query(max_length=200)]
CODE = r"^[A-Za-z0-9-]*$"
Year = Annotated[int | None, Query(ge=1, le=9999)]


class FoundTitle(TitleOut):
    """A title that a search found, and where its copies are now."""

    availability: list[StockOut]

    @classmethod
    def found(cls, found: queries.FoundTitle) -> "FoundTitle":
        """Build the response from a title and its copies."""
        out = TitleOut.of(found.title)
        return cls(**out.__dict__, availability=stock_out(found.copies))


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
        titles = await store.find_catalogued(db, q, page.limit, page.after)
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
    )


def _offset(page: Page) -> int:
    """Return the number of titles before a page."""
    after = page.after or "0"
    if not (after.isascii() and after.isdecimal() and int(after) < MOST_FOUND):
        raise HTTPException(422, "after: send `next` of the previous page")
    return int(after)


async def _items(db: Db, titles: Sequence[Title]) -> list[FoundTitle]:
    return [FoundTitle.found(each) for each in await queries.with_copies(db, titles)]
