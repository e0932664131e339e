"""The feeds of notices: valid for readers, in three languages, and 304 while nothing is new."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import orjson
import pytest

from services.notices.app import create_app
from services.notices.settings import Settings
from tests.notices.library import FEBRUARY_17, STAFF, register
from tests.support import Answer, Api, served

SITE = "https://library.example"
ATOM = "{http://www.w3.org/2005/Atom}"
AT = datetime(2021, 2, 17, 8, tzinfo=UTC)
NOTICE = {
    "title": "Open <b>again</b> &\u3000warm\ufffe",
    "content": "First line\nSecond <i>line</i>\n\nNext \uffffpart: 圖書館",
    "branches": ["HKCL"],
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": SITE})


async def publish(api: Api, at: str = FEBRUARY_17, **change: Any) -> dict[str, Any]:
    answer = await api.post("/v1/notices", NOTICE | change, as_=STAFF, at=at)
    assert answer.status == 201, answer.body
    published: dict[str, Any] = answer.json()
    return published


def parsed(answer: Answer) -> Any:
    """Return an Atom feed as a feed reader takes it."""
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    found = feedparser.parse(answer.body, response_headers={"content-type": "application/atom+xml"})
    assert (found.bozo, found.version) == (False, "atom10")
    return found


def check_required(feed: ET.Element) -> None:
    """Check the elements that RFC 4287 requires, each once, with valid dates and addresses."""
    assert feed.tag == f"{ATOM}feed"
    for part in (feed, *feed.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            [element] = part.findall(f"{ATOM}{name}")
            assert element.text
        assert datetime.fromisoformat(str(part.findtext(f"{ATOM}updated"))).tzinfo
        assert str(part.findtext(f"{ATOM}id")).startswith("urn:")
        [alternate] = [one for one in part.findall(f"{ATOM}link") if one.get("rel") == "alternate"]
        assert str(alternate.get("href")).startswith(f"{SITE}/notices")
    assert feed.findtext(f"{ATOM}author/{ATOM}name")  # of all entries, which have none of their own
    ids = [entry.findtext(f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids)


async def test_a_feed_reader_gets_a_valid_atom_feed_with_the_notices_as_written(api: Api) -> None:
    await register(api)
    notice = await publish(api)
    older = await publish(api, title="Older", date="2021-02-16", branches=[])
    answer = await api.get("/v1/notices.atom")
    check_required(ET.fromstring(answer.body))  # noqa: S314 - our own answer
    found = parsed(answer)
    first, second = found.entries
    assert (first.id, second.id) == (f"urn:uuid:{notice['id']}", f"urn:uuid:{older['id']}")
    assert first.link == f"{SITE}/notices/{notice['id']}"
    assert first.title_detail.value == "Open <b>again</b> &\u3000warm"
    assert first.content[0].value == (
        "<p>First line<br />Second &lt;i&gt;line&lt;/i&gt;</p><p>Next part: 圖書館</p>"
    )
    assert [tag.term for tag in first.tags] == ["Hong Kong Central Library"]
    assert "tags" not in second
    assert first.updated == first.published == found.feed.updated == AT.isoformat()
    assert [link.href for link in found.feed.links if link.rel == "self"] == [
        f"{SITE}/v1/notices.atom?lang=en"
    ]


async def test_the_json_feed_has_the_same_notices(api: Api) -> None:
    await register(api)
    notice = await publish(api)
    answer = await api.get("/v1/notices.json?branch=HKCL&lang=zh-Hans")
    assert answer.headers["Content-Type"].startswith("application/feed+json")
    assert orjson.loads(answer.body) == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "公告：Hong Kong Central Library",
        "home_page_url": f"{SITE}/notices?branch=HKCL",
        "feed_url": f"{SITE}/v1/notices.json?branch=HKCL&lang=zh-Hans",
        "language": "zh-Hans",
        "authors": [{"name": "公共图书馆"}],
        "items": [
            {
                "id": f"urn:uuid:{notice['id']}",
                "url": f"{SITE}/notices/{notice['id']}",
                "title": notice["title"],
                "content_text": notice["content"],
                "date_published": "2021-02-17T08:00:00Z",
                "tags": ["Hong Kong Central Library"],
            }
        ],
    }


async def test_a_branch_has_a_feed_of_its_own_with_those_of_the_whole_library(api: Api) -> None:
    await register(api)
    for title, branches in (("One", ["HKCL"]), ("Other", ["STPL"]), ("All", [])):
        await publish(api, title=title, branches=branches)
    there = parsed(await api.get("/v1/notices.atom?branch=STPL"))
    assert {entry.title for entry in there.entries} == {"Other", "All"}
    assert there.feed.title == "Notices: Sha Tin Public Library"
    everywhere = parsed(await api.get("/v1/notices.atom"))
    assert {entry.title for entry in everywhere.entries} == {"One", "Other", "All"}
    assert everywhere.feed.id != there.feed.id
    unknown = await api.get("/v1/notices.atom?branch=NONE")
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-branch")


@pytest.mark.parametrize(
    ("query", "accepted", "language", "title"),
    [
        ("", "", "en", "Notices of the libraries"),
        ("", "zh-HK,en;q=0.5", "zh-Hant", "圖書館通告"),
        ("?lang=zh-Hans", "zh-HK", "zh-Hans", "图书馆公告"),
    ],
)
async def test_the_language_is_the_requested_or_an_accepted_one(
    api: Api, query: str, accepted: str, language: str, title: str
) -> None:
    answer = await api.get(
        f"/v1/notices.atom{query}", headers={"Accept-Language": accepted} if accepted else {}
    )
    found = parsed(answer)
    assert (found.feed.title, found.feed.language) == (title, language)
    assert answer.headers["Content-Language"] == language
    assert answer.headers["Vary"] == "Accept-Language"


@pytest.mark.parametrize("path", ["/v1/notices.atom", "/v1/notices.json"])
async def test_a_client_that_has_the_feed_gets_a_304_until_a_notice_is_published(
    api: Api, path: str
) -> None:
    await register(api)
    await publish(api)
    first = await api.get(path)
    assert parsedate_to_datetime(first.headers["Last-Modified"]) == AT
    by_tag = {"If-None-Match": first.headers["ETag"]}
    by_time = {"If-Modified-Since": first.headers["Last-Modified"]}
    for known in (by_tag, by_time, by_tag | {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}):
        again = await api.get(path, headers=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    for other in (
        {"If-None-Match": 'W/"another"', **by_time},
        {"If-Modified-Since": "Wed, 17 Feb 2021 07:59:59 GMT"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert (await api.get(path, headers=other)).status == 200
    await publish(api, at="2021-02-18T08:00:00+08:00", title="News")
    for known in (by_tag, by_time):
        assert (await api.get(path, headers=known)).status == 200


async def test_a_library_without_notices_has_a_valid_feed_without_entries(api: Api) -> None:
    first, second = [await api.get("/v1/notices.atom") for _ in range(2)]
    assert parsed(first).entries == []
    check_required(ET.fromstring(first.body))  # noqa: S314 - our own answer
    assert first.headers["ETag"] == second.headers["ETag"]
    assert "Last-Modified" not in first.headers


async def test_only_the_newest_fifty_notices_are_in_a_feed(api: Api) -> None:
    for number in range(52):
        await publish(api, title=str(number), branches=[])
    found = parsed(await api.get("/v1/notices.atom"))
    assert [entry.title for entry in found.entries] == [str(n) for n in range(51, 1, -1)]


async def test_without_a_public_address_the_links_are_relative_or_left_out(
    settings: Settings,
) -> None:
    async with served(create_app, settings.model_copy(update={"public_url": ""})) as api:
        notice = await publish(api, branches=[])
        found = parsed(await api.get("/v1/notices.atom"))
        assert found.entries[0].link == f"/notices/{notice['id']}"
        feed = orjson.loads((await api.get("/v1/notices.json")).body)
    assert {"home_page_url", "feed_url"} & feed.keys() == set()
    assert "url" not in feed["items"][0]


async def test_a_notice_is_shown_by_its_id(api: Api) -> None:
    notice = await publish(api, branches=[])
    assert (await api.get(f"/v1/notices/{notice['id']}")).json() == notice
    missing = await api.get("/v1/notices/none")
    assert (missing.status, missing.json()["code"]) == (404, "no-such-notice")
