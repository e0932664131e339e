"""Events about suspensions, by which patrons learn which rules apply to their loans."""

import random
from typing import Any

import orjson
import pytest

from tests.circulation.desk import OPS, SERVICE, STAFF, Desk, noon
from tests.circulation.desk import branch as calendar

TOPICS = ("fines.suspended", "fines.resumed")
FEBRUARY_17 = noon("2021-02-17")


async def suspend(desk: Desk, **more: Any) -> str:
    body = {"starts_on": "2020-12-10", "reason": "All libraries closed", **more}
    answer = await desk.api.insist(
        "POST", "/v1/fine-suspensions", body, as_=STAFF, at=noon("2020-12-09")
    )
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def concerned(desk: Desk, suspension_id: str, at: str) -> dict[str, list[str]]:
    path = f"/v1/fine-suspensions/{suspension_id}/patrons"
    answer = await desk.api.insist("GET", path, as_=SERVICE, at=at)
    assert answer.status == 200, answer.body
    return {item["patron_id"]: item["branches"] for item in answer.json()["items"]}


async def told(desk: Desk, topic: str) -> list[dict[str, Any]]:
    rows = desk.api.app.state.database.outbox.find({"topic": topic}).sort("$natural", 1)
    return [orjson.loads(row["body"]) async for row in rows]


@pytest.fixture
async def library_wide_and_small(desk: Desk) -> tuple[str, str]:
    """Announce two suspensions over two loans of p1 and one of p2; small libraries' is longer."""
    await desk.patron("p2")
    await desk.loan(on="2020-11-20")
    await desk.loan(on="2020-11-20", branch="LFU")
    await desk.loan(on="2020-11-20", to="p2", branch="LFU")
    whole = await suspend(desk, resumes_on="2021-03-05")
    small = await suspend(desk, kinds=["small"], resumes_on="2021-05-03")
    return whole, small


async def test_a_suspension_names_for_each_patron_the_affected_branches_of_their_loans(
    desk: Desk, library_wide_and_small: tuple[str, str]
) -> None:
    whole, small = library_wide_and_small
    assert await concerned(desk, whole, FEBRUARY_17) == {"p1": ["HKCL"]}
    assert await concerned(desk, small, FEBRUARY_17) == {"p1": ["LFU"], "p2": ["LFU"]}


async def test_the_end_of_a_suspension_omits_branches_that_are_still_suspended(
    desk: Desk, library_wide_and_small: tuple[str, str]
) -> None:
    whole, small = library_wide_and_small
    assert await concerned(desk, whole, noon("2021-03-05")) == {"p1": ["HKCL"]}
    assert await concerned(desk, small, noon("2021-05-03")) == {"p1": ["LFU"], "p2": ["LFU"]}


async def test_the_event_of_a_changed_suspension_names_the_announced_day_it_replaces(
    desk: Desk,
) -> None:
    suspension_id = await suspend(desk)
    path = f"/v1/fine-suspensions/{suspension_id}"
    for body in (
        {"resumes_on": "2021-03-05"},
        {"resumes_on": None},
        {"resumes_on": "2021-05-03", "starts_on": "2020-12-02"},
    ):
        answer = await desk.api.insist("PATCH", path, body, as_=STAFF, at=FEBRUARY_17)
        assert answer.status == 200, answer.body
    withdrawal = {"reason": "Fines are counted again at once"}
    answer = await desk.api.insist(
        "POST", f"{path}/withdrawal", withdrawal, as_=STAFF, at=FEBRUARY_17
    )
    assert answer.status == 200, answer.body
    days = [
        (event["previous_starts_on"], event["previous_resumes_on"])
        for topic in ("fines.suspended", "fines.resumed")
        for event in await told(desk, topic)
    ]
    assert days == [
        (None, None),
        (None, None),
        (None, "2021-03-05"),
        ("2020-12-10", None),
        (None, "2021-05-03"),
    ]


async def test_a_resumption_on_the_announced_day_replaces_no_day(desk: Desk) -> None:
    await suspend(desk, resumes_on="2021-03-05")
    job = "/v1/ops/jobs/circulation/fines-resumed"
    assert (await desk.api.insist("POST", job, as_=OPS, at=noon("2021-03-05"))).status == 200
    [event] = await told(desk, "fines.resumed")
    assert (event["previous_starts_on"], event["previous_resumes_on"]) == (None, None)


@pytest.mark.parametrize("seed", range(3))
async def test_a_preview_counts_those_who_are_then_notified_of_overlapping_suspensions(
    desk: Desk, seed: int
) -> None:
    """Suspensions are announced, amended and withdrawn at random over loans of three branches."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    await desk.patron("p2")
    await desk.hear(calendar("TPO", "district"))
    for patron, branch in (("p1", "HKCL"), ("p1", "LFU"), ("p2", "LFU"), ("p2", "TPO")):
        await desk.loan(on="2020-11-20", to=patron, branch=branch)
    ids: list[str] = []
    for _ in range(25):
        day = f"2020-12-{chance.randint(1, 20):02}"
        ends = chance.choice([None, "2020-12-06", "2020-12-25", "2021-01-10"])
        scope = chance.choice([{}, {"kinds": ["small"]}, {"branches": ["LFU", "TPO"]}])
        method, path = "POST", "/v1/fine-suspensions"
        body: dict[str, Any] = {"starts_on": "2020-12-01", **scope}
        if ids and chance.random() < 0.6:
            method, path, body = "PATCH", f"{path}/{chance.choice(ids)}", {}
        body |= {"resumes_on": ends}
        if method == "POST":
            body["reason"] = "Typhoon"
        elif chance.random() < 0.2:
            method, path, body = "POST", f"{path}/withdrawal", {"reason": "Over"}
        call: dict[str, Any] = {"as_": STAFF, "at": noon(day)}
        said = await desk.api.insist(method, f"{path}?preview=true", body, **call)
        before = [await desk.count(topic) for topic in TOPICS]
        made = await desk.api.insist(method, path, body, **call)
        assert (said.status < 300) == (made.status < 300), (said.body, made.body)
        if made.status >= 300:
            continue
        if path == "/v1/fine-suspensions":
            ids.append(made.json()["id"])
        notified = {}
        if before != [await desk.count(topic) for topic in TOPICS]:
            notified = await concerned(desk, made.json()["id"], noon(day))
        assert said.json()["notifications"] - said.json()["fines_lowered"] == len(notified), body
