"""The notices as feeds to subscribe to: Atom 1.0 (RFC 4287) and JSON Feed 1.1."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from feedgenerator import Atom1Feed

from services.notices.domain.notice import Notice, NoticeWording

_NOT_IN_XML = re.compile("[^\\t\\n\\r -\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_NOTHING_YET = datetime(1970, 1, 1, tzinfo=UTC)


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
