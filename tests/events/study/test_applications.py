"""Applications for study rooms: answers, published events and refusals."""

import asyncio
from typing import Any

import pytest

from tests.events.programme import events
from tests.events.study.season import (
    AFTER,
    ANNOUNCED,
    CARDS,
    DRAW,
    OPEN,
    OVER,
    SEASON,
    STAFF,
    Members,
    announced,
    apply,
    closed,
    drawn,
    own,
    staff,
    withdraw,
)
from tests.events.test_registrations import erase
from tests.support import Api, token

PAPER: dict[str, Any] = {
    "card_number": "C-p",
    "branch": "HKCL",
    "paper_number": "A-17",
    "received_on": "2021-02-11",
}


async def test_a_patron_applies_once_and_finds_the_application(api: Api) -> None:
    season = (await announced(api))["id"]
    answer = await apply(api, season, "a")
    assert (answer.status, answer.json()["state"]) == (201, "applied")
    answer = await apply(api, season, "a", "STPL")
    assert (answer.status, answer.json()["code"]) == (409, "applied-already")
    mine = (await api.get("/v1/me/admissions", as_=token("a"), at=OPEN)).json()["items"]
    assert [(one["season"], one["branch"]) for one in mine] == [(SEASON["name"], "HKCL")]
    assert (await api.get("/v1/me/admissions", as_=token("a"), at=OVER)).json()["items"] == []
    [event] = await events(api, "admission.applied")
    assert (event["patron_id"], event["by_post"], event["version"]) == ("a", False, 1)


async def test_applications_count_by_their_day(api: Api) -> None:
    season = (await announced(api))["id"]
    for patron, at, code in (
        ("a", "2021-02-09T23:59:59+08:00", "applications-not-open"),
        ("b", "2021-02-10T00:00:00+08:00", None),
        ("c", "2021-02-24T23:59:59+08:00", None),
        ("d", "2021-02-25T00:00:00+08:00", "applications-closed"),
    ):
        assert (await apply(api, season, patron, at=at)).json().get("code") == code, at


async def test_an_application_by_post_counts_by_its_day_of_receipt(api: Api) -> None:
    season = (await announced(api))["id"]
    answer = await staff(api, season, "applications", AFTER, PAPER)
    assert (answer.status, answer.json()["patron_id"]) == (201, "p")
    assert (answer.json()["paper_number"], answer.json()["category"]) == ("A-17", "adult")
    for change, code in (
        ({"received_on": "2021-02-26"}, "received-in-future"),
        ({"received_on": "2021-02-25", "card_number": "C-q"}, "applications-closed"),
        ({"received_on": "2021-02-09", "card_number": "C-q"}, "applications-not-open"),
        ({"card_number": "C-q"}, "paper-number-taken"),
        ({"paper_number": "A-18"}, "applied-already"),
        ({"card_number": "unknown"}, "no-such-card"),
        ({"card_number": "C-q", "paper_number": "A-18", "branch": "TPO"}, "no-such-room"),
    ):
        answer = await staff(api, season, "applications", AFTER, {**PAPER, **change})
        assert answer.json()["code"] == code, change
    await closed(api, season)
    late = {**PAPER, "card_number": "C-q", "paper_number": "A-18"}
    answer = await staff(api, season, "applications", AFTER, late)
    assert answer.json()["code"] == "applications-closed"
    [event] = await events(api, "admission.applied")
    assert event["by_post"] is True


async def test_fifty_concurrent_applications_of_a_patron_create_one(api: Api, replica: Api) -> None:
    season = (await announced(api))["id"]
    answers = await asyncio.gather(*(apply([api, replica][n % 2], season, "p") for n in range(50)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 49
    assert len(await events(api, "admission.applied")) == 1


async def test_an_application_beside_the_closing_is_on_the_list_or_refused(
    api: Api, replica: Api
) -> None:
    season = (await announced(api))["id"]
    papers = [
        {**PAPER, "card_number": f"C-{number}", "paper_number": f"N-{number}"}
        for number in range(20)
    ]
    calls = [
        staff([api, replica][number % 2], season, "applications", AFTER, paper)
        for number, paper in enumerate(papers)
    ]
    *answers, closing = await asyncio.gather(*calls, staff(api, season, "closing", AFTER))
    assert closing.status == 200
    recorded = {answer.json()["id"] for answer in answers if answer.status == 201}
    refused = {answer.json()["code"] for answer in answers if answer.status != 201}
    assert refused <= {"applications-closed"}
    ballot = (await api.get(f"/v1/study-seasons/{season}/ballot")).json()
    assert {one["id"] for one in ballot["entries"]} == recorded


async def test_a_withdrawn_application_can_be_made_again_until_the_last_day(api: Api) -> None:
    season = (await announced(api))["id"]
    await apply(api, season, "a")
    assert (await withdraw(api, season, "a", at=OPEN)).json()["state"] == "withdrawn"
    answer = await withdraw(api, season, "a", at=OPEN)
    assert (answer.status, answer.json()["code"]) == (404, "not-applied")
    assert (await apply(api, season, "a", "STPL")).status == 201
    [event] = await events(api, "admission.withdrawn")
    assert (event["by"], event["version"]) == ("patron", 2)


async def test_nobody_withdraws_once_the_season_is_over(api: Api) -> None:
    season = (await announced(api))["id"]
    await apply(api, season, "a")
    answer = await withdraw(api, season, "a", at=OVER)
    assert (answer.status, answer.json()["code"]) == (409, "season-over")


async def test_an_erased_patron_cannot_apply_and_their_application_ends(api: Api) -> None:
    season = (await announced(api))["id"]
    await apply(api, season, "a")
    await erase(api, "a")
    [event] = await events(api, "admission.withdrawn")
    assert (event["by"], event["patron_id"]) == ("erased", "a")
    answer = await apply(api, season, "a")
    assert (answer.status, answer.json()["code"]) == (404, "no-such-patron")


async def test_nobody_applies_while_accounts_is_away(api: Api, members: Members) -> None:
    season = (await announced(api))["id"]
    members.away = True
    path = f"/v1/study-seasons/{season}/application"
    answer = await api.post(path, {"branch": "HKCL"}, as_=token("a"), at=OPEN)
    assert answer.status == 503
    members.away = False
    assert (await apply(api, season, "a")).status == 201


@pytest.mark.parametrize(
    "change",
    [
        {"applications_until": "2021-02-09"},
        {"draw_on": "2021-02-24"},
        {"valid_from": "2021-03-04"},
        {"valid_until": "2021-03-14"},
        {"rooms": [{"branch": "HKCL", "places": 4, "quotas": {"adult": 3, "senior": 2}}]},
        {"rooms": [{"branch": "HKCL", "places": 4}, {"branch": "HKCL", "places": 5}]},
        {"sessions": [{"opens": "09:00", "closes": "09:00"}]},
        {
            "sessions": [
                {"opens": "09:00", "closes": "12:00"},
                {"opens": "11:00", "closes": "13:00"},
            ]
        },
    ],
)
async def test_a_season_that_contradicts_itself_is_refused(
    api: Api, change: dict[str, Any]
) -> None:
    body = {**SEASON, **change}
    answer = await api.post("/v1/study-seasons", body, as_=STAFF, at=ANNOUNCED)
    assert (answer.status, answer.json()["code"]) == (422, "bad-season")


async def test_a_list_is_closed_once_after_the_last_day_and_drawn_after_that(api: Api) -> None:
    season = (await announced(api))["id"]
    for command, at, code in (
        ("closing", OPEN, "applications-still-open"),
        ("draw", DRAW, "applications-still-open"),
        ("closing", AFTER, None),
        ("closing", AFTER, "applications-closed"),
    ):
        assert (await staff(api, season, command, at)).json().get("code") == code, command
    unknown = await staff(api, "unknown", "draw", DRAW)
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-season")


async def test_staff_list_the_applications_page_by_page(api: Api) -> None:
    season = (await announced(api))["id"]
    for number in range(5):
        await apply(api, season, f"p{number}")
    await drawn(api, season)
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        path = f"/v1/study-seasons/{season}/applications?limit=2{after}"
        page = (await api.get(path, as_=STAFF, at=CARDS)).json()
        found += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert {one["patron_id"] for one in found} == {f"p{number}" for number in range(5)}
    states = [one["state"] for one in found]
    assert (states.count("granted"), states.count("standby")) == (4, 1)
    assert (await own(api, season, "p0"))["season"] == SEASON["name"]
