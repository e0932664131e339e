"""The feeds of notices, for feed readers."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from services.notices import feed
from services.notices.domain.notice import Notice
from services.notices.domain.refusals import NoSuchBranch
from services.notices.feed import Channel
from services.notices.kinds.language import ALL_NOTICES, NOTICES_OF, PUBLISHER, language_of
from services.notices.queries import branches, notices
from services.notices.routes.fields import Id, Language
from services.notices.settings import Settings
from shared.http.conditional import conditional
from shared.http.dependencies import Db
from shared.languages import language_code
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["notices"])

ENTRIES = 50
"""Number of notices in a feed."""
_FRESH = "public, max-age=300"

_ATOM = """\
<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">
<title>Notices of the libraries</title>
<link href="https://library.example/notices" rel="alternate"/>
<link href="https://library.example/v1/notices.atom?lang=en" rel="self"/>
<id>urn:carrel:notices:all:en</id>
<updated>2021-02-17T08:00:00+00:00</updated>
<author><name>Public Libraries</name></author>
<entry>
<title>The Central Library reopens in part</title>
<link href="https://library.example/notices/0177aef1-8c40-7be7-98fa-6a2b1c4d3e19" rel="alternate"/>
<published>2021-02-17T08:00:00+00:00</published>
<updated>2021-02-17T08:00:00+00:00</updated>
<id>urn:uuid:0177aef1-8c40-7be7-98fa-6a2b1c4d3e19</id>
<content type="html">&lt;p&gt;Open again from 19 February, with special hours.&lt;/p&gt;</content>
<category term="Hong Kong Central Library"/>
</entry>
</feed>
"""
_JSON = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Notices of the libraries",
    "home_page_url": "https://library.example/notices",
    "feed_url": "https://library.example/v1/notices.json?lang=en",
    "language": "en",
    "authors": [{"name": "Public Libraries"}],
    "items": [
        {
            "id": "urn:uuid:0177aef1-8c40-7be7-98fa-6a2b1c4d3e19",
            "url": "https://library.example/notices/0177aef1-8c40-7be7-98fa-6a2b1c4d3e19",
            "title": "The Central Library reopens in part",
            "content_text": "Open again from 19 February, with special hours.",
            "date_published": "2021-02-17T08:00:00Z",
            "tags": ["Hong Kong Central Library"],
        }
    ],
}
_NOT_MODIFIED = {"description": "The feed has not changed since the caller's version."}


class _Feed:
    """A requested feed: its notices, and the facts about it."""

    def __init__(
        self,
        request: Request,
        db: Db,
        branch: Annotated[Id | None, Query(description="Code of a branch.")] = None,
        lang: Annotated[
            Language | None,
            Query(description="Language of the feed; null: by Accept-Language."),
        ] = None,
    ) -> None:
        accepted = request.headers.get("accept-language", "")
        self._request, self._db, self._branch = request, db, branch
        self._language = language_code(lang or "", accepted=accepted)

    async def read(self, path: str) -> tuple[Channel, list[Notice], datetime | None]:
        """Return the feed at a path, and its last change. Raises NoSuchBranch."""
        branch = None if self._branch is None else await branches.get(self._db, self._branch)
        newest = await notices.newest_notices(self._db, self._branch, ENTRIES)
        found = [notice for notice in newest if notice.withdrawn_at is None]
        settings: Settings = self._request.app.state.settings
        words = language_of(self._language)
        place = {} if branch is None else {"branch": branch.id}
        title = words.say(ALL_NOTICES)
        if branch is not None:
            title = words.say(NOTICES_OF).format(library=branch.name_in(self._language))
        channel = Channel(
            id=f"urn:carrel:notices:{'all' if branch is None else branch.id}:{self._language}",
            title=title,
            publisher=words.say(PUBLISHER),
            language=self._language,
            names=await branches.names(self._db, found, self._language),
            site=settings.public_url,
            page="/notices" + (f"?{urlencode(place)}" if place else ""),
            path=f"{path}?{urlencode({**place, 'lang': self._language})}",
        )
        return channel, found, feed.updated(newest)

    def answer(self, content: bytes, kind: str, modified: datetime | None) -> Response:
        """Return the feed's content, or a 304 if the client has it."""
        headers = {
            "Cache-Control": _FRESH,
            "Content-Language": self._language,
            "Vary": "Accept-Language",
        }
        return conditional(self._request, content, kind, modified=modified, headers=headers)


Feed = Annotated[_Feed, Depends()]


@router.get(
    "/notices.atom",
    response_class=Response,
    responses={
        200: {
            "content": {"application/atom+xml": {"schema": {"type": "string"}, "example": _ATOM}},
            "description": "An Atom feed (RFC 4287).",
        },
        304: _NOT_MODIFIED,
    },
)
@refuses(NoSuchBranch)
async def get_atom(asked: Feed) -> Response:
    """Get the newest notices as an Atom feed; with `branch`, those that concern it."""
    channel, found, modified = await asked.read("/v1/notices.atom")
    return asked.answer(feed.atom(channel, found), "application/atom+xml", modified)


@router.get(
    "/notices.json",
    response_class=Response,
    responses={
        200: {
            "content": {"application/feed+json": {"schema": {"type": "object"}, "example": _JSON}},
            "description": "A JSON Feed, version 1.1.",
        },
        304: _NOT_MODIFIED,
    },
)
@refuses(NoSuchBranch)
async def get_json_feed(asked: Feed) -> Response:
    """Get the newest notices as a JSON feed; with `branch`, those that concern it."""
    channel, found, modified = await asked.read("/v1/notices.json")
    return asked.answer(feed.json_feed(channel, found), "application/feed+json", modified)
