"""The last place, inside a library and in a study room, is given once by two processes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from ops.audit.system import audit
from ops.infrastructure.processes import System
from services.settings import Settings
from tests.conftest import BROKER
from tests.library import Library
from tests.support import Answer, Client
from tests.systems import started_system

CALLERS = 50
CAPACITY = 30
APPLICANTS = 5


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with two processes of each service that gives places."""
    replicas = {"notices": 2, "events": 2}
    with started_system(tmp_path_factory, broker=BROKER, replicas=replicas) as started:
        yield started


def processes(library: Library, service: str) -> list[Client]:
    """Return a client of each process of a service, past the gateway."""
    return [Client(library.system.url(service, n), library._session) for n in range(2)]


async def test_one_of_fifty_visitors_gets_the_last_place_inside(
    running: System, library: Library
) -> None:
    library.now = "2020-11-02T10:00:00+08:00"
    branch = await library.branch()
    closure = {"branches": [branch], "from": "2020-11-04", "reason": "Prevention"}
    closed = await library.post("/v1/closures", closure, by="staff")
    terms = {"branches": [branch], "reopened_on": "2020-11-05", "capacity": CAPACITY}
    await library.post(f"/v1/closures/{closed['id']}/reopening", terms, by="staff")
    library.now = "2020-11-06T10:00:00+08:00"
    venue = (await library.post(f"/v1/branches/{branch}/venue", by="staff"))["venue"]
    inside = {"door": "Main", "entered": CAPACITY - 1}
    await library.post(f"/v1/branches/{branch}/counts", inside, by="staff")
    owners = processes(library, "notices")

    async def enter(number: int) -> Answer:
        if number % 5:
            visitor = {"name": f"Visitor {number}", "phone": "6123 4567", "venue": venue}
            return await _call(owners[number % 2], "/v1/visits", visitor, library)
        counts = f"/v1/branches/{branch}/counts"
        body = {"door": f"Door {number}", "entered": 1}
        return await _call(owners[number % 2], counts, body, library, by="staff")

    answers = await asyncio.gather(*(enter(number) for number in range(CALLERS)))
    assert _outcomes(answers) == {"in": 1, "branch-full": CALLERS - 1}
    now = await library.get(f"/v1/branches/{branch}/occupancy")
    assert (now["inside"], now["level"]) == (CAPACITY, "full")
    await _whole(running, library)


async def test_one_of_fifty_callers_gets_the_last_free_place_of_a_study_room(
    running: System, library: Library
) -> None:
    library.now = "2020-11-09T10:00:00+08:00"
    branch = await library.branch()
    season = await library.season(branch)
    path = f"/v1/study-seasons/{season}"
    cards = [await library.patron(branch) for _ in range(APPLICANTS)]
    for card in cards:
        await library.post(f"{path}/application", {"branch": branch}, by=card)
    library.now = "2020-11-10T08:00:00+08:00"
    await library.post(f"{path}/closing", by="staff")
    await library.post(f"{path}/draw", by="staff")
    await library.job("events/draws")
    codes = [(await library.get(f"{path}/application", by=card))["code"] for card in cards]

    # Nobody comes: the place passes from one to the next, and is then free for the first.
    begins = datetime.fromisoformat("2020-11-10T09:00:00+08:00")
    for number in range(1, APPLICANTS + 1):
        library.now = (begins + timedelta(minutes=15 * number)).isoformat()
        assert await library.job("events/standby") == 1
    library.now = "2020-11-10T12:00:00+08:00"
    owners = processes(library, "events")
    answers = await asyncio.gather(
        *(
            _call(
                owners[number % 2],
                f"{path}/check-ins",
                {"code": codes[number % APPLICANTS]},
                library,
                by="station",
            )
            for number in range(CALLERS)
        )
    )
    outcomes = _outcomes(answers)
    assert outcomes["in"] == 1
    assert set(outcomes) <= {"in", "place-lapsed", "checked-in-already"}
    assert outcomes["checked-in-already"] < CALLERS // APPLICANTS  # of the same card
    await _whole(running, library)


async def _call(
    owner: Client, path: str, body: dict[str, Any], library: Library, *, by: str = ""
) -> Answer:
    token = await library.engage(by) if by else None
    return await owner.insist("POST", path, body, as_=token, at=library.now)


def _outcomes(answers: list[Answer]) -> Counter[str]:
    """Count the answers: `in`, or the code of the refusal."""
    return Counter(str(answer.json().get("code", "in")) for answer in answers)


async def _whole(running: System, library: Library) -> None:
    """Check that the stored data agree, once all events are processed."""
    await library.flow.settle(within=60)
    assert (await audit(running.settings(Settings))).findings == []
