"""Ask a Librarian over HTTP: questions, replies, the queues of the staff, and erasure."""

import asyncio
from typing import Any

from shared.contracts.notices import EnquiryAnswered
from tests.notices import library
from tests.support import Answer, Api, token

OTHER_STAFF = token("staff-2", ["staff"])
MARCH_8 = "2021-03-08T10:00:00+08:00"
MARCH_9 = "2021-03-09T10:00:00+08:00"
QUESTION = {"subject": "Old maps", "text": "Where are the maps of 1900?"}


async def ask(api: Api, patron_id: str = "a", at: str = MARCH_8, **more: Any) -> dict[str, Any]:
    body = {**QUESTION, **more}
    answer = await api.insist("POST", "/v1/enquiries", body, as_=library.patron(patron_id), at=at)
    assert answer.status == 201, answer.body
    asked: dict[str, Any] = answer.json()
    return asked


async def command(
    api: Api,
    enquiry: dict[str, Any],
    name: str,
    as_: str = library.STAFF,
    at: str = MARCH_9,
    **body: Any,
) -> Answer:
    return await api.insist("POST", f"/v1/enquiries/{enquiry['id']}/{name}", body, as_=as_, at=at)


async def shown(api: Api, enquiry: dict[str, Any], as_: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/enquiries/{enquiry['id']}", as_=as_)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def queue(api: Api, name: str, as_: str = library.STAFF, more: str = "") -> list[str]:
    answer = await api.get(f"/v1/enquiries?queue={name}{more}", as_=as_)
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.json()["items"]]


async def test_a_question_is_taken_answered_replied_to_and_closed(api: Api) -> None:
    asked = await ask(api)
    assert (asked["state"], asked["version"], asked["messages"]) == ("new", 1, 1)
    assert await queue(api, "new") == [asked["id"]]

    taken = await command(api, asked, "assignment", to="me", seen=1)
    assert (taken.status, taken.json()["state"]) == (200, "assigned")
    assert await queue(api, "mine") == [asked["id"]]
    assert await queue(api, "mine", OTHER_STAFF) == await queue(api, "new") == []

    asks = await command(api, asked, "answers", text="Of which place?", asks=True, seen=2)
    assert (asks.status, asks.json()["state"]) == (201, "waiting")
    reply = await command(api, asked, "replies", library.patron("a"), text="Of Sha Tin.")
    assert (reply.status, reply.json()["state"]) == (201, "assigned")
    assert await queue(api, "mine") == [asked["id"]]
    answered = await command(api, asked, "answers", text="On the sixth floor.", seen=4)
    assert (answered.status, answered.json()["state"]) == (201, "answered")

    closed = await command(api, asked, "closure", library.patron("a"))
    assert (closed.status, closed.json()["state"]) == (200, "closed")
    assert _code(await command(api, asked, "closure", library.patron("a"))) == "enquiry-closed"
    thread = (await shown(api, asked, library.patron("a")))["thread"]
    assert [(one["by"], one["text"]) for one in thread] == [
        ("patron", QUESTION["text"]),
        ("staff", "Of which place?"),
        ("patron", "Of Sha Tin."),
        ("staff", "On the sixth floor."),
    ]
    reopened = await command(api, asked, "replies", library.patron("a"), text="It is not there.")
    assert reopened.json()["state"] == "assigned"

    told = await library.events(
        api, "enquiry.opened", "enquiry.assigned", "enquiry.answered", "enquiry.closed"
    )
    assert [(e["topic"], e["version"], e["state"]) for e in told] == [
        ("enquiry.opened", 1, "new"),
        ("enquiry.assigned", 2, "assigned"),
        ("enquiry.answered", 3, "waiting"),
        ("enquiry.opened", 4, "assigned"),
        ("enquiry.answered", 5, "answered"),
        ("enquiry.closed", 6, "closed"),
        ("enquiry.opened", 7, "assigned"),
    ]


async def test_a_suggestion_to_buy_something_is_its_own_kind_and_answered_as_one(api: Api) -> None:
    question = await ask(api)
    wanted = {"author": "Wong Ka-yan", "isbn": "978-962-00-0000-3"}
    asked = await ask(api, subject="Tides", wanted=wanted)
    assert (asked["wanted"], asked["outcome"]) == (wanted, None)
    assert await queue(api, "suggested") == [asked["id"]]
    refused = await command(api, question, "answers", text="No", seen=1, outcome="bought")
    assert (refused.status, refused.json()["code"]) == (409, "not-suggested")
    answer = await command(api, asked, "answers", text="It is dear.", seen=1, outcome="not-bought")
    assert answer.json()["outcome"] == "not-bought"
    await _hear_all(api)
    assert "not to buy" in (await library.texts(api, "a"))[0]
    await command(api, asked, "closure", seen=2)
    assert await queue(api, "suggested") == []


async def test_events_have_no_text_and_no_name(api: Api) -> None:
    asked = await ask(api)
    await command(api, asked, "answers", text="On the sixth floor.", seen=1)
    bodies = [row["body"] async for row in api.app.state.database.outbox.find({})]
    assert bodies
    for secret in (*QUESTION.values(), "sixth floor", "staff-1"):
        assert not [body for body in bodies if secret.encode() in body]


async def test_one_of_twenty_librarians_answers_at_once_and_the_others_are_told(
    api: Api, replica: Api
) -> None:
    asked = await ask(api)
    answers = await asyncio.gather(
        *(
            command(
                (api, replica)[number % 2],
                asked,
                "answers",
                token(f"staff-{number}", ["staff"]),
                text=f"Answer {number}",
                seen=1,
            )
            for number in range(20)
        )
    )
    assert sorted(answer.status for answer in answers) == [201] + [409] * 19
    assert {_code(answer) for answer in answers if answer.status == 409} == {"enquiry-changed"}
    assert (await shown(api, asked, library.STAFF))["messages"] == 2


async def test_notes_are_for_staff_only_and_change_nothing_else(api: Api) -> None:
    asked = await ask(api)
    noted = await command(api, asked, "notes", text="Ask the map room.")
    assert (noted.status, noted.json()["version"]) == (201, 1)
    for_staff = (await shown(api, asked, library.STAFF))["thread"]
    assert [(one["text"], one["private"]) for one in for_staff][1] == ("Ask the map room.", True)
    for_patron = await shown(api, asked, library.patron("a"))
    assert [one["private"] for one in for_patron["thread"]] == [False]
    assert for_patron["librarian"] is None


async def test_a_question_is_passed_on_to_the_staff_of_a_library(api: Api) -> None:
    await library.register(api)
    asked = await ask(api, branch="HKCL")
    for_anyone = await ask(api, "b")
    assert await queue(api, "new", more="&branch=STPL") == [for_anyone["id"]]
    passed = await command(api, asked, "assignment", to="staff", branch="STPL", seen=1)
    assert (passed.json()["branch"], passed.json()["state"]) == ("STPL", "new")
    assert await queue(api, "new", more="&branch=STPL") == [for_anyone["id"], asked["id"]]
    unknown = await command(api, asked, "assignment", to="staff", branch="XX", seen=2)
    assert (unknown.status, _code(unknown)) == (404, "no-such-branch")


async def test_the_queue_is_read_page_by_page_the_longest_waiting_first(api: Api) -> None:
    asked = [
        (await ask(api, f"p{day}", at=f"2021-03-0{day}T10:00:00+08:00"))["id"] for day in (3, 1, 2)
    ]
    first = (await api.get("/v1/enquiries?limit=2", as_=library.STAFF)).json()
    rest = (await api.get(f"/v1/enquiries?limit=2&after={first['next']}", as_=library.STAFF)).json()
    found = [one["id"] for page in (first, rest) for one in page["items"]]
    assert found == [asked[1], asked[2], asked[0]]
    assert (await api.get("/v1/enquiries?after=nonsense", as_=library.STAFF)).status == 422


async def test_a_question_names_what_exists_and_is_in_the_patrons_language(api: Api) -> None:
    await library.hear(api, library.registered("a", language="zh-Hant"), "e1", MARCH_8)
    await library.hear(api, library.title(), "e2", MARCH_8)
    asked = await ask(api, title_id="title-1")
    assert (asked["title_id"], asked["language"]) == ("title-1", "zh-Hant")
    for more, code in (
        ({"title_id": "title-9"}, "no-such-title"),
        ({"branch": "XX"}, "no-such-branch"),
    ):
        refused = await api.post("/v1/enquiries", QUESTION | more, as_=library.patron("a"))
        assert (refused.status, _code(refused)) == (404, code)
    empty = await api.post("/v1/enquiries", {"subject": " ", "text": ""}, as_=library.patron("a"))
    assert empty.status == 422


async def test_a_patron_has_a_limited_number_of_open_questions(api: Api) -> None:
    asked = [await ask(api) for _ in range(50)]
    refused = await api.post("/v1/enquiries", QUESTION, as_=library.patron("a"))
    assert (refused.status, _code(refused)) == (409, "too-many-enquiries")
    await command(api, asked[0], "closure", library.patron("a"))
    await ask(api)


async def test_the_patron_is_notified_of_an_answer_and_of_a_question(api: Api) -> None:
    asked = await ask(api)
    await command(api, asked, "answers", text="Of which place?", asks=True, seen=1)
    await command(api, asked, "answers", text="Sixth floor.", seen=2)
    await _hear_all(api)
    await _hear_all(api)  # every message comes twice
    assert await library.texts(api, "a") == [
        "The library has answered your question “Old maps”.",
        "The library needs to know more about your question “Old maps”.",
    ]


async def test_figures_say_how_fast_the_library_answers_and_what_waits(api: Api) -> None:
    empty = (await api.get("/v1/enquiries/figures", as_=library.STAFF, at=MARCH_9)).json()
    assert (empty["asked"], empty["median_hours"]) == (0, None)
    for hours in range(1, 11):
        asked = await ask(api, f"p{hours}", at="2021-03-01T00:00:00+08:00")
        answered_at = f"2021-03-01T{hours:02}:00:00+08:00"
        await command(api, asked, "answers", at=answered_at, text="Here.", seen=1)
    await ask(api, "old", at="2020-12-01T10:00:00+08:00")
    for day in (2, 5, 7, 8):
        await ask(api, f"q{day}", at=f"2021-03-0{day}T12:00:00+08:00")
    figures = (await api.get("/v1/enquiries/figures", as_=library.STAFF, at=MARCH_9)).json()
    assert (figures["asked"], figures["answered"]) == (14, 10)
    assert (figures["median_hours"], figures["ninth_decile_hours"]) == (5, 9)
    assert [(row["under_days"], row["count"]) for row in figures["waiting"]] == [
        (1, 1),
        (3, 1),
        (7, 2),
        (None, 1),
    ]


async def test_an_erased_patron_leaves_no_question_and_asks_none(api: Api) -> None:
    asked = await ask(api)
    await command(api, asked, "notes", text="A note about the reader")
    kept = await ask(api, "b")
    replies = asyncio.gather(
        *(command(api, asked, "notes", text=f"Note {number}") for number in range(10)),
        *(
            command(api, asked, "replies", library.patron("a"), text=f"Reply {number}")
            for number in range(5)
        ),
    )
    await library.hear(api, library.erased("a"), "e9", MARCH_9)
    await replies
    database = api.app.state.database
    assert [one["_id"] async for one in database.enquiries.find({})] == [kept["id"]]
    assert {one["enquiry_id"] async for one in database.enquiry_messages.find({})} == {kept["id"]}
    refused = await api.post("/v1/enquiries", QUESTION, as_=library.patron("a"))
    assert _code(refused) == "no-such-patron"
    assert (await api.get(f"/v1/enquiries/{asked['id']}", as_=library.STAFF)).status == 404


async def _hear_all(api: Api) -> None:
    """Deliver all events of answers in the outbox."""
    async for row in api.app.state.database.outbox.find({}).sort("_id", 1):
        if row["topic"] == EnquiryAnswered.topic:
            event = EnquiryAnswered.model_validate_json(row["body"])
            await library.hear(api, event, row["_id"], row["headers"]["ce_time"])


def _code(answer: Answer) -> str:
    code: str = answer.json()["code"]
    return code


async def test_new_questions_are_counted_for_a_library_and_for_any(api: Api) -> None:
    await library.register(api)

    async def count(branch: str) -> int:
        answer = await api.get(f"/v1/enquiries/count?branch={branch}", as_=library.STAFF)
        assert answer.status == 200, answer.body
        return int(answer.json()["count"])

    asked = [await ask(api, branch=branch) for branch in ("HKCL", "HKCL", None)]
    assert (await count("HKCL"), await count("LFU")) == (3, 1)
    for number, branch in ((0, "HKCL"), (2, "LFU")):
        await command(api, asked[number], "assignment", to="me", seen=1)
        assert await count(branch) == 2 - number
    assert (await api.get("/v1/enquiries/count?branch=HKCL", as_=library.patron("a"))).status == 403
