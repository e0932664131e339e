"""Search in the staff's queues of Ask a Librarian: by words, librarian, reader and state."""

import asyncio
from typing import Any

from tests.notices.library import STAFF, patron
from tests.notices.test_enquiries import ask, command, queue, shown
from tests.support import Api, token

CHAN = token("staff-7", ["staff"], name="Chan Tai Man")


async def found(api: Api, query: str) -> list[str]:
    return await queue(api, "all", more=f"&{query}")


async def test_questions_are_found_by_words_of_subject_messages_and_notes(api: Api) -> None:
    maps = await ask(api, subject="Old maps", text="Where are the harbour's plans of 1900?")
    chinese = await ask(api, "b", subject="舊地圖", text="請問一九零零年的海港地圖在哪裏？")
    await command(api, maps, "notes", text="Café: ask the map room")
    await command(api, chinese, "answers", text="在六樓地圖室。", seen=1)
    for query in ("q=OLD", "q=harbour+plans", "q=map+room", "q=cafe", "q=19"):
        assert await found(api, query) == [maps["id"]], query
    for query in ("q=地圖", "q=海港地图", "q=六楼", "q=室", "q=哪裡"):
        assert await found(api, query) == [chinese["id"]], query
    for query in ("q=harbour+cafe", "q=圖地", "q=...", "q=ape", "q=.*"):
        assert await found(api, query) == [], query
    assert await queue(api, "answered", more="&q=地圖") == [chinese["id"]]
    assert await queue(api, "new", more="&q=地圖") == []


async def test_questions_are_found_by_librarian_and_by_reader(api: Api) -> None:
    first, second = await ask(api), await ask(api, "b")
    await command(api, first, "assignment", CHAN, to="me", seen=1)
    assert await found(api, "librarian=chan") == [first["id"]]
    assert await found(api, "librarian=Tai") == await found(api, "librarian=.*") == []
    assert await found(api, "patron_id=b") == [second["id"]]
    assert await found(api, "patron_id=c") == []
    assert await found(api, "patron_id=b&librarian=chan") == []


async def test_open_and_all_questions_are_queues_of_their_own(api: Api) -> None:
    asked = [await ask(api, at=f"2021-03-0{day}T10:00:00+08:00") for day in (1, 2, 3)]
    first, second, third = (one["id"] for one in asked)
    await command(api, asked[1], "closure", at="2021-03-08T10:00:00+08:00", seen=1)
    assert await queue(api, "open") == [first, third]
    assert await queue(api, "all") == [second, third, first]


async def test_a_search_is_read_page_by_page_within_its_limits(api: Api) -> None:
    asked = [
        (await ask(api, f"p{day}", at=f"2021-03-0{day}T10:00:00+08:00"))["id"] for day in (1, 2, 3)
    ]
    pages: list[str] = []
    after = ""
    while True:
        path = f"/v1/enquiries?queue=open&q=maps&limit=1{after}"
        page = (await api.get(path, as_=STAFF)).json()
        pages += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert pages == asked
    for query in (f"q={'x' * 201}", f"librarian={'x' * 201}", "librarian=%00", "queue=none"):
        assert (await api.get(f"/v1/enquiries?{query}", as_=STAFF)).status == 422
    assert (await api.get("/v1/enquiries?q=maps", as_=patron("p1"))).status == 403


async def test_messages_of_concurrent_writers_have_one_order(api: Api, replica: Api) -> None:
    asked = await ask(api)
    both = (api, replica)
    writes = [
        command(both[number % 2], asked, "replies", patron("a"), text=f"Reply {number}")
        if number % 3
        else command(both[number % 2], asked, "notes", text=f"Note {number}")
        for number in range(12)
    ]
    await asyncio.gather(*writes)
    database = api.app.state.database
    stored = [one async for one in database.enquiry_messages.find({"enquiry_id": asked["id"]})]
    assert sorted(one["number"] for one in stored) == list(range(1, 14))
    thread = (await shown(api, asked, STAFF))["thread"]
    by_number = sorted(stored, key=lambda one: int(one["number"]))
    assert [one["id"] for one in thread] == [one["_id"] for one in by_number]


async def test_messages_are_ordered_by_their_number_whatever_the_clocks_said(api: Api) -> None:
    asked = await ask(api)
    await command(api, asked, "replies", patron("a"), text="Second")
    messages = api.app.state.database.enquiry_messages
    # The process that wrote the reply had a clock behind the other's.
    reply: dict[str, Any] = await messages.find_one_and_delete({"text": "Second"})
    await messages.insert_one({**reply, "_id": "0" + reply["_id"][1:-1]})
    texts = [one["text"] for one in (await shown(api, asked, STAFF))["thread"]]
    assert texts == ["Where are the maps of 1900?", "Second"]
