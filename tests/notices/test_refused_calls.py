"""Calls that notices refuses: each answer has the code that the route declares for it."""

from typing import Any

import pytest

from services.notices.enquiries.rules.enquiries import MOST_MESSAGES
from tests.notices.library import (
    DECEMBER_9,
    STAFF,
    WEEK,
    branch,
    events,
    patron,
    record_closure,
    register,
    reopening,
)
from tests.support import Answer, Api

MARCH_8 = "2021-03-08T10:00:00+08:00"
QUESTION = {"subject": "Old maps", "text": "Where are the maps of 1900?"}
WORDING = {"en": {"question": "Where?", "answer": "On the sixth floor."}}
ERROR = {"reason": "wrong", "in_error": True}
ENQUIRY, BANK, CLOSURE = "no-such-enquiry", "no-such-question", "no-such-closure"


def refusal(answer: Answer) -> tuple[int, str]:
    """Return the status and the code of a refused call."""
    return answer.status, answer.json()["code"]


async def ask(api: Api) -> str:
    """Open an enquiry of patron a, and return its path."""
    answer = await api.insist("POST", "/v1/enquiries", QUESTION, as_=patron("a"), at=MARCH_8)
    assert answer.status == 201, answer.body
    return f"/v1/enquiries/{answer.json()['id']}"


UNKNOWN: list[tuple[str, str, Any, str]] = [
    ("GET", "/v1/branches/NONE", None, "no-such-branch"),
    ("PATCH", "/v1/branches/NONE", {"hours": WEEK}, "no-such-branch"),
    ("GET", "/v1/closures/none", None, CLOSURE),
    ("GET", "/v1/closures/none/activities", None, CLOSURE),
    ("PATCH", "/v1/closures/none", {"reason": "Works"}, CLOSURE),
    ("POST", "/v1/closures/none/reopening", {"reopened_on": "2021-01-01"}, CLOSURE),
    ("POST", "/v1/closures/none/withdrawal", ERROR, CLOSURE),
    ("GET", "/v1/enquiries/none", None, ENQUIRY),
    ("POST", "/v1/enquiries/none/answers", {"text": "Here.", "seen": 1}, ENQUIRY),
    ("POST", "/v1/enquiries/none/notes", {"text": "Here."}, ENQUIRY),
    ("POST", "/v1/enquiries/none/assignment", {"to": "me", "seen": 1}, ENQUIRY),
    ("POST", "/v1/enquiries/none/assignment", {"to": "staff", "seen": 1}, ENQUIRY),
    ("POST", "/v1/enquiries/none/closure", {"seen": 1}, ENQUIRY),
    ("GET", "/v1/questions/none", None, BANK),
    ("PUT", "/v1/questions/none", {"wordings": WORDING, "seen": 1}, BANK),
    ("DELETE", "/v1/questions/none", None, BANK),
]


async def test_an_unknown_resource_is_not_found(api: Api) -> None:
    for method, path, body, code in UNKNOWN:
        answer = await api.call(method, path, body, as_=STAFF)
        assert refusal(answer) == (404, code), (method, path)
    vote = await api.post("/v1/questions/none/votes", {"helpful": True}, as_=patron("a"))
    assert refusal(vote) == (404, BANK)


async def test_a_page_after_no_item_is_refused(api: Api) -> None:
    for path, as_ in (
        ("/v1/enquiries", STAFF),
        ("/v1/me/enquiries", patron("a")),
        ("/v1/me/inbox", patron("a")),
        ("/v1/notices", None),
    ):
        answer = await api.get(f"{path}?after=nonsense", as_=as_)
        assert refusal(answer) == (422, "bad-cursor"), path


# ---- branches and closures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "hours",
    [
        [{"weekday": 1, "opens": "20:00", "closes": "09:00"}],
        [{"weekday": 1, "opens": "09:00", "closes": "09:00"}],
        [
            {"weekday": 1, "opens": "09:00", "closes": "13:00"},
            {"weekday": 1, "opens": "12:59", "closes": "20:00"},
        ],
    ],
    ids=["closes before it opens", "open no minute", "overlap"],
)
async def test_impossible_hours_are_refused_in_every_command(api: Api, hours: Any) -> None:
    await register(api, "HKCL")
    body = {"code": "STPL", "name": "Sha Tin", "kind": "major", "hours": hours}
    assert refusal(await api.post("/v1/branches", body, as_=STAFF)) == (422, "bad-hours")
    assert refusal(await api.get("/v1/branches/STPL")) == (404, "no-such-branch")
    changed = await api.patch("/v1/branches/HKCL", {"hours": hours}, as_=STAFF)
    assert refusal(changed) == (422, "bad-hours")
    closure = await record_closure(api, DECEMBER_9, branches=["HKCL"], **{"from": "2020-12-10"})
    special = await reopening(api, closure["id"], DECEMBER_9, reopened_on="2020-12-20", hours=hours)
    assert refusal(special) == (422, "bad-hours")
    found = await branch(api, "HKCL", "2020-12-20")
    assert (found["open"], found["weekly_hours"]) == (False, WEEK)
    assert await events(api, "branch.hours-changed", "branch.reopened") == []


async def test_a_withdrawn_closure_gets_no_reopening(api: Api) -> None:
    await register(api, "HKCL", "TPO")
    span = {"from": "2020-12-10"}
    closure = await record_closure(api, DECEMBER_9, kinds=["central", "district"], **span)
    path = f"/v1/closures/{closure['id']}"
    gone = {**ERROR, "branches": ["HKCL"]}
    assert (await api.post(f"{path}/withdrawal", gone, as_=STAFF, at=DECEMBER_9)).status == 200
    late = await reopening(
        api, closure["id"], DECEMBER_9, branches=["HKCL"], reopened_on="2020-12-20"
    )
    assert refusal(late) == (409, "closure-withdrawn")
    assert late.json()["branches"] == ["HKCL"]
    assert await events(api, "branch.reopened") == []


async def test_a_closure_is_withdrawn_only_for_branches_that_it_covers(api: Api) -> None:
    await register(api, "HKCL", "TPO")
    closure = await record_closure(api, DECEMBER_9, kinds=["central"], **{"from": "2020-12-10"})
    body = {**ERROR, "branches": ["HKCL", "TPO"]}
    path = f"/v1/closures/{closure['id']}/withdrawal"
    answer = await api.post(path, body, as_=STAFF, at=DECEMBER_9)
    assert refusal(answer) == (409, "not-in-closure")
    assert answer.json()["branches"] == ["TPO"]
    assert not (await branch(api, "HKCL", "2020-12-10"))["open"]


async def test_a_closure_is_not_amended_to_begin_after_its_reopening(api: Api) -> None:
    await register(api, "HKCL")
    span = {"from": "2020-12-10", "reopened_on": "2020-12-20"}
    closure = await record_closure(api, DECEMBER_9, kinds=["central"], **span)
    path = f"/v1/closures/{closure['id']}"
    answer = await api.patch(path, {"from": "2020-12-20"}, as_=STAFF, at=DECEMBER_9)
    assert refusal(answer) == (409, "reopened-before-closed")
    assert (await api.get(path, as_=STAFF)).json()["from"] == "2020-12-10"


async def test_a_notice_for_no_branch_is_refused(api: Api) -> None:
    await register(api, "HKCL")
    notice = {"title": "Small libraries", "content": "Closed."}
    none = await api.post("/v1/notices", {**notice, "kinds": ["small"]}, as_=STAFF)
    assert refusal(none) == (409, "no-branch-covered")
    unknown = await api.post("/v1/notices", {**notice, "branches": ["XX"]}, as_=STAFF)
    assert refusal(unknown) == (404, "no-such-branch")
    assert (await api.get("/v1/notices")).json()["items"] == []


# ---- enquiries ----------------------------------------------------------------------------------


async def test_another_patrons_question_is_not_found(api: Api) -> None:
    path = await ask(api)
    for answer in (
        await api.get(path, as_=patron("b")),
        await api.post(f"{path}/replies", {"text": "Me too."}, as_=patron("b")),
        await api.post(f"{path}/closure", {}, as_=patron("b")),
    ):
        assert refusal(answer) == (404, ENQUIRY)
    found = (await api.get(path, as_=patron("a"))).json()
    assert (found["state"], found["messages"]) == ("new", 1)


async def test_a_question_with_many_messages_takes_no_more(api: Api) -> None:
    path = await ask(api)
    enquiries = api.app.state.database.enquiries
    reply, answer = {"text": "And of 1910?"}, {"text": "Upstairs.", "seen": 1}
    full = {"$set": {"messages": MOST_MESSAGES, "notes": MOST_MESSAGES}}
    assert (await enquiries.update_one({}, full)).modified_count == 1
    for refused in (
        await api.post(f"{path}/replies", reply, as_=patron("a")),
        await api.post(f"{path}/answers", answer, as_=STAFF),
        await api.post(f"{path}/notes", reply, as_=STAFF),
    ):
        assert refusal(refused) == (409, "enquiry-full")
    one_less = {"$set": {"messages": MOST_MESSAGES - 1, "notes": MOST_MESSAGES - 1}}
    assert (await enquiries.update_one({}, one_less)).modified_count == 1
    assert (await api.post(f"{path}/notes", reply, as_=STAFF)).status == 201
    assert (await api.post(f"{path}/answers", answer, as_=STAFF)).status == 201
    assert len((await api.get(path, as_=STAFF)).json()["thread"]) == 3


async def test_a_changed_or_closed_question_is_neither_taken_nor_answered(api: Api) -> None:
    path = await ask(api)
    read, changed = {"seen": 1}, (409, "enquiry-changed")
    await api.post(f"{path}/replies", {"text": "And of 1910?"}, as_=patron("a"))
    for to in ("me", "staff"):
        taken = await api.post(f"{path}/assignment", {**read, "to": to}, as_=STAFF)
        assert refusal(taken) == changed
    assert refusal(await api.post(f"{path}/closure", read, as_=STAFF)) == changed
    assert (await api.post(f"{path}/closure", {"seen": 2}, as_=STAFF)).status == 200
    for name, body in (
        ("assignment", {"to": "me", "seen": 3}),
        ("assignment", {"to": "staff", "seen": 3}),
        ("answers", {"text": "Upstairs.", "seen": 3}),
    ):
        late = await api.post(f"{path}/{name}", body, as_=STAFF)
        assert refusal(late) == (409, "enquiry-closed"), name
    assert (await api.get(path, as_=STAFF)).json()["state"] == "closed"
