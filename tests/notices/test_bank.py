"""The question bank over HTTP: published, searched, reworded, withdrawn, voted on."""

import asyncio
from typing import Any

from services.notices.enquiries.rules.bank import words_of
from services.notices.enquiries.store.enquiries import having
from tests.notices.library import STAFF, erased, hear, patron
from tests.support import Answer, Api

MAPS = {
    "en": {"question": "Where are the old maps?", "answer": "On the 6th floor (map room)."},
    "zh-Hant": {"question": "舊地圖在哪裏？", "answer": "在六樓地圖室。"},
}
CARDS = {"en": {"question": "I lost my card. What now?", "answer": "Tell any library."}}


async def publish(api: Api, wordings: dict[str, Any]) -> dict[str, Any]:
    answer = await api.insist("POST", "/v1/questions", {"wordings": wordings}, as_=STAFF)
    assert answer.status == 201, answer.body
    published: dict[str, Any] = answer.json()
    return published


async def reword(api: Api, question: dict[str, Any], wordings: Any, seen: int) -> Answer:
    body = {"wordings": wordings, "seen": seen}
    return await api.call("PUT", f"/v1/questions/{question['id']}", body, as_=STAFF)


async def found(api: Api, q: str) -> list[str]:
    answer = await api.get(f"/v1/questions?q={q}")
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.json()["items"]]


async def test_anyone_finds_a_question_by_words_of_any_language(api: Api) -> None:
    maps, cards = [(await publish(api, wordings))["id"] for wordings in (MAPS, CARDS)]
    assert await found(api, "") == [cards, maps]
    assert await found(api, "OLD+maps") == await found(api, "地圖") == [maps]
    assert await found(api, "地图") == await found(api, "裡") == [maps]
    assert await found(api, "(map") == [maps]
    assert await found(api, "maps+card") == await found(api, ".*") == []
    shown = (await api.get(f"/v1/questions/{maps}")).json()
    assert shown["wordings"] == MAPS
    first = (await api.get("/v1/questions?limit=1")).json()
    assert (await api.get(f"/v1/questions?after={first['next']}")).json()["items"] == [shown]


async def test_a_question_is_reworded_by_one_librarian_at_a_time(api: Api) -> None:
    maps = await publish(api, MAPS)
    answers = await asyncio.gather(*(reword(api, maps, CARDS, seen=1) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 9
    assert {a.json()["code"] for a in answers if a.status == 409} == {"question-changed"}
    assert await found(api, "maps") == []
    assert await found(api, "card") == [maps["id"]]


async def test_a_withdrawn_question_is_not_found_and_can_be_published_again(api: Api) -> None:
    maps = await publish(api, MAPS)
    path = f"/v1/questions/{maps['id']}"
    for _ in range(2):
        gone = (await api.delete(path, as_=STAFF)).json()
        assert (gone["withdrawn"], gone["version"]) == (True, 2)
    assert await found(api, "maps") == []
    vote = await api.post(f"{path}/votes", {"helpful": True}, as_=patron("a"))
    assert (vote.status, vote.json()["code"]) == (404, "no-such-question")
    assert (await reword(api, maps, MAPS, seen=2)).json()["withdrawn"] is False
    assert await found(api, "maps") == [maps["id"]]


async def test_each_patron_has_one_vote_which_changes_no_version(api: Api, replica: Api) -> None:
    maps = await publish(api, MAPS)
    path = f"/v1/questions/{maps['id']}"
    votes = [
        (api, replica)[number % 2].insist(
            "POST", f"{path}/votes", {"helpful": number % 3 > 0}, as_=patron(f"p{number % 30}")
        )
        for number in range(60)
    ]
    await asyncio.gather(*votes)
    shown = (await api.get(path)).json()
    assert (shown["helpful"], shown["unhelpful"], shown["version"]) == (20, 10, 1)


async def test_the_last_vote_of_a_patron_counts_and_stays_counted_after_erasure(api: Api) -> None:
    maps = await publish(api, MAPS)
    path = f"/v1/questions/{maps['id']}/votes"
    for helpful in (True, True, False):
        shown = (await api.post(path, {"helpful": helpful}, as_=patron("a"))).json()
        assert (shown["helpful"], shown["unhelpful"]) == ((1, 0) if helpful else (0, 1))
    await hear(api, erased("a"), "e9", "2021-03-09T10:00:00+08:00")
    assert await api.app.state.database.bank_votes.count_documents({}) == 0
    shown = (await api.get(f"/v1/questions/{maps['id']}")).json()
    assert (shown["helpful"], shown["unhelpful"]) == (0, 1)
    refused = await api.post(path, {"helpful": True}, as_=patron("a"))
    assert (refused.status, refused.json()["code"]) == (404, "no-such-patron")


async def test_a_search_reads_only_what_the_index_finds(api: Api) -> None:
    for number in range(300):
        await publish(api, {"en": {"question": f"Question {number}", "answer": "Yes."}})
    maps = await publish(api, MAPS)
    bank = api.app.state.database.bank_questions
    for q in ("map room", "地圖室"):
        query = {"withdrawn": False, **having(words_of(q))}
        plan = await bank.find(query).sort("_id", -1).limit(51).explain()
        assert plan["executionStats"]["totalDocsExamined"] <= 2, q
        assert await found(api, q.replace(" ", "+")) == [maps["id"]]


async def test_a_question_needs_a_wording(api: Api) -> None:
    for wordings in ({}, {"fr": MAPS["en"]}, {"en": {"question": " ", "answer": "x"}}):
        refused = await api.post("/v1/questions", {"wordings": wordings}, as_=STAFF)
        assert refused.status == 422
    assert (await api.get("/v1/questions/none")).status == 404
