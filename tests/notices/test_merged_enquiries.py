"""Merging repeated questions of one patron over HTTP."""

import asyncio
from typing import Any

from services.notices.messages.consumers import subscriptions
from shared.contracts.notices import EnquiryClosed
from tests.notices.library import STAFF, events, hear, patron, texts
from tests.notices.test_enquiries import OTHER_STAFF, ask, command, shown
from tests.support import Answer, Api


async def merge(
    api: Api, one: dict[str, Any], into: dict[str, Any], as_: str = STAFF, **seen: int
) -> Answer:
    body = {"into": into["id"], "seen": 1, "seen_into": 1, **seen}
    return await command(api, one, "merger", as_, **body)


def code(answer: Answer) -> str:
    return str(answer.json()["code"])


async def test_a_repeat_is_closed_and_names_the_question_in_which_it_goes_on(api: Api) -> None:
    first = await ask(api)
    repeat = await ask(api, subject="Maps again")
    merged = await merge(api, repeat, first)
    assert (merged.status, merged.json()["state"]) == (200, "closed")
    assert merged.json()["merged_into"] == first["id"]

    for reader in (patron("a"), STAFF):
        kept = await shown(api, first, reader)
        assert (kept["state"], kept["version"]) == ("assigned", 2)
        assert kept["merged"] == [{"id": repeat["id"], "subject": "Maps again"}]
        assert len((await shown(api, repeat, reader))["thread"]) == 1
    reply = await command(api, repeat, "replies", patron("a"), text="And?")
    assert (reply.status, code(reply), reply.json()["into"]) == (409, "enquiry-merged", first["id"])

    told = await events(api, "enquiry.assigned", "enquiry.closed")
    assert [(e["topic"], e["enquiry_id"], e["merged_into"]) for e in told] == [
        ("enquiry.assigned", first["id"], None),
        ("enquiry.closed", repeat["id"], first["id"]),
    ]


async def test_the_patron_is_told_of_a_merger_and_not_of_a_closure(api: Api) -> None:
    first, repeat = await ask(api), await ask(api, subject="Maps again")
    await merge(api, repeat, first)
    await command(api, first, "closure", seen=2)
    assert EnquiryClosed.topic in subscriptions.by_topic
    async for row in api.app.state.database.outbox.find({"topic": EnquiryClosed.topic}):
        event = EnquiryClosed.model_validate_json(row["body"])
        for _ in range(2):
            await hear(api, event, row["_id"], row["headers"]["ce_time"])
    assert await texts(api, "a") == [
        "The library answers your question “Maps again” together with another one."
    ]


async def test_only_two_questions_of_one_patron_are_merged(api: Api) -> None:
    first, of_another = await ask(api), await ask(api, "b")
    for one, into in ((first, of_another), (of_another, first), (first, first)):
        refused = await merge(api, one, into)
        assert (refused.status, code(refused)) == (409, "not-mergeable")
    gone = await merge(api, first, {"id": "none"})
    assert (gone.status, code(gone)) == (404, "no-such-enquiry")
    assert (await shown(api, first, STAFF))["state"] == "new"


async def test_a_closed_question_is_not_merged_and_none_into_it(api: Api) -> None:
    first, second = await ask(api), await ask(api)
    await command(api, first, "closure", seen=1)
    answers = [
        await merge(api, first, second, seen=2),
        await merge(api, second, first, seen_into=2),
    ]
    for refused in answers:
        assert (refused.status, code(refused)) == (409, "enquiry-closed")


async def test_a_merger_is_refused_if_either_question_has_changed(api: Api) -> None:
    first, repeat = await ask(api), await ask(api)
    await command(api, first, "replies", patron("a"), text="More")
    refused = await merge(api, repeat, first)
    assert (refused.status, code(refused)) == (409, "enquiry-changed")
    refused = await merge(api, first, repeat)
    assert (refused.status, code(refused)) == (409, "enquiry-changed")
    assert (await merge(api, repeat, first, seen_into=2)).status == 200


async def test_two_librarians_who_merge_each_way_at_once_leave_one_open(
    api: Api, replica: Api
) -> None:
    for round_ in range(5):
        one, other = await ask(api, f"p{round_}"), await ask(api, f"p{round_}")
        answers = await asyncio.gather(
            merge(api, one, other), merge(replica, other, one, OTHER_STAFF)
        )
        assert sorted(answer.status for answer in answers) == [200, 409]
        states = {(await shown(api, each, STAFF))["state"] for each in (one, other)}
        assert states == {"assigned", "closed"}
