"""The notices as feeds: Atom and JSON Feed."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from feedgenerator import Atom1Feed

from services.notices.branches import queries as branches_queries
from services.notices.branches.refusals import NoSuchBranch
from services.notices.fields import Id, Language
from services.notices.language import language_of
from services.notices.notices import queries
from services.notices.notices.rules import Notice, NoticeWording
from services.notices.settings import Settings
from shared.http.conditional import conditional
from shared.http.dependencies import Db
from shared.refusals import refuses
from shared.translations import language_code, marked

PUBLISHER = marked("Public Libraries")
ALL_NOTICES = marked("Notices of the libraries")
NOTICES_OF = marked("Notices: {library}")
"""Texts of the feeds of notices."""
_NOT_IN_XML = re.compile("[^\\t\\n\\r -\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_NOTHING_YET = datetime(1970, 1, 1, tzinfo=UTC)
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


@dataclass(frozen=True)
class Channel:
    """The facts about a feed itself."""

    id: str
    """Name of the feed (URN), which never changes."""
    title: str
    publisher: str
    language: str
    """Language of the title, and of the notices that have texts in it."""
    names: Mapping[str, str]
    """Names of branches by code."""
    site: str
    """Address of the page without a trailing slash; empty: links are relative or left out."""
    page: str
    """Path of the page with the same notices."""
    path: str
    """Path of the feed."""


def updated(notices: Iterable[Notice]) -> datetime | None:
    """Return when the last change of the notices was, withdrawals included; None without any."""
    return max((notice.changed_at for notice in notices), default=None)


class _Atom(Atom1Feed):  # type: ignore[misc] # the library has no types
    """A feed that without entries is as old as can be: it has no time of its own."""

    def latest_post_date(self) -> datetime:
        return super().latest_post_date() if self.items else _NOTHING_YET


def atom(channel: Channel, notices: Sequence[Notice]) -> bytes:
    """Return the notices as an Atom feed."""
    feed = _Atom(
        title=_printable(channel.title),
        link=channel.site + channel.page,
        description=None,
        language=channel.language,
        author_name=channel.publisher,
        feed_url=channel.site + channel.path,
        feed_guid=channel.id,
    )
    for notice in notices:
        feed.add_item(
            title=_printable(_texts(channel, notice).title),
            link=channel.site + _page_of(notice),
            description=None,
            content=_paragraphs(_texts(channel, notice).content),
            unique_id=_id_of(notice),
            pubdate=notice.published_at,
            updateddate=notice.changed_at,
            categories=_tags(channel, notice),
        )
    written: str = feed.writeString("utf-8")
    return written.encode()


def json_feed(channel: Channel, notices: Sequence[Notice]) -> bytes:
    """Return the notices as a JSON feed. Its addresses are absolute, so they may be left out."""
    items = [
        {
            "id": _id_of(notice),
            **_link(channel, "url", _page_of(notice)),
            "title": _texts(channel, notice).title,
            "content_text": _texts(channel, notice).content,
            "date_published": notice.published_at,
            **({"date_modified": notice.amended_at} if notice.amended_at else {}),
            "tags": _tags(channel, notice),
        }
        for notice in notices
    ]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        **_link(channel, "home_page_url", channel.page),
        **_link(channel, "feed_url", channel.path),
        "language": channel.language,
        "authors": [{"name": channel.publisher}],
        "items": items,
    }
    return orjson.dumps(feed, option=orjson.OPT_UTC_Z)


def _texts(channel: Channel, notice: Notice) -> NoticeWording:
    return notice.in_language(channel.language)


def _link(channel: Channel, name: str, path: str) -> dict[str, Any]:
    return {name: channel.site + path} if channel.site else {}


def _id_of(notice: Notice) -> str:
    return f"urn:uuid:{notice.id}"


def _page_of(notice: Notice) -> str:
    return f"/notices/{notice.id}"


def _tags(channel: Channel, notice: Notice) -> list[str]:
    """Return the names of the branches that a notice is about; none for the whole library."""
    return [_printable(channel.names.get(code, code)) for code in notice.branches]


def _paragraphs(text: str) -> str:
    """Return a text as HTML, a paragraph for each part between blank lines."""
    parts = [part.strip("\n") for part in _printable(text).replace("\r\n", "\n").split("\n\n")]
    escaped = [html.escape(part, quote=False).replace("\n", "<br>") for part in parts if part]
    return "".join(f"<p>{part}</p>" for part in escaped)


def _printable(text: str) -> str:
    """Remove the characters that XML may not contain (XML 1.0, section 2.2)."""
    return _NOT_IN_XML.sub("", text)


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
        branch = (
            None if self._branch is None else await branches_queries.get(self._db, self._branch)
        )
        newest = await queries.newest_notices(self._db, self._branch, ENTRIES)
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
            names=await queries.names(self._db, found, self._language),
            site=settings.public_url,
            page="/notices" + (f"?{urlencode(place)}" if place else ""),
            path=f"{path}?{urlencode({**place, 'lang': self._language})}",
        )
        return channel, found, updated(newest)

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
    return asked.answer(atom(channel, found), "application/atom+xml", modified)


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
    return asked.answer(json_feed(channel, found), "application/feed+json", modified)
