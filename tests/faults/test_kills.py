"""kill -9 between any two steps: after a restart nothing is lost or doubled.

A failpoint kills a process at a named step during a day at the library. The process is started
again, the callers retry with their keys, and in the end an audit compares every database, topic
and view. An audit reads all data, so several kills share one. A test also fails if a failpoint
was never reached.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import aiohttp
import pytest

from ops.audit.system import audit
from ops.infrastructure.processes import System
from services.events.activities.commands.registrations import CHUNK
from services.registry import NAMES
from services.settings import Settings
from tests.faults.kills import (
    LISTENER,
    RELAY,
    STEPS,
    SWEEP,
    WORK,
    Death,
    Step,
    doomed,
    doomed_at_each,
)
from tests.faults.report import record
from tests.library import Library
from tests.support import patient_client, until

pytestmark = pytest.mark.embedded

FAULTS = {
    WORK: "kill -9 around a commit",
    RELAY: "kill -9 of a relay: rows read, sent, acknowledged, marked",
    LISTENER: "kill -9 of a consumer: event received, processed, offset committed",
    SWEEP: "kill -9 of a worker that moves due dates: moved, not yet said so",
}


async def day_at_the_library(library: Library, first: date) -> None:
    """Run commands of every kind: patrons, loans, holds, activities, a closure, fines, notices."""

    def on(days: int) -> None:
        library.now = f"{first + timedelta(days=days)}T10:00:00+08:00"

    on(0)
    branch = await library.branch()
    await library.flow.settle(within=60)  # circulation lends only at branches that it knows
    late, early = [await library.patron(branch) for _ in range(2)]
    books = await library.copies(branch, 4)
    preferences = {"followed_branches": [branch], "activity_types": ["talk"]}
    await library.call("PATCH", "/v1/me/preferences", preferences, by=early)
    talk = {
        "title": "A talk",
        "type": "talk",
        "venue": "Hall",
        "organiser": "The library",
        "starts_at": library.now,
        "recording": {"url": "https://recordings.example/1", "available_from": library.now},
    }
    await library.post("/v1/activities", talk, by="staff")
    await library.job("events/releases")
    workshop = await library.activity(places=1, starts_at=f"{first + timedelta(days=30)}T10:00:00Z")
    registration = f"/v1/activities/{workshop}/registration"
    for card in (early, late):
        await library.post(registration, by=card)
    await library.call("DELETE", registration, by=early)
    await library.lend(late, books[:2], branch)
    [kept] = await library.lend(early, books[2:3], branch)
    [wanted] = await library.copies(branch, 1)
    await library.reserve(early, wanted, branch)
    await library.take_back([wanted], branch)  # staff fetched it from its shelf
    await library.reserve(await library.patron(branch), wanted, branch)

    on(13)
    closure = {"branches": [branch], "from": str(first + timedelta(days=14)), "reason": "Typhoon"}
    closed = await library.post("/v1/closures", closure, by="staff")
    reopening = {"reopened_on": str(first + timedelta(days=16)), "services": ["lending"]}
    await library.post(f"/v1/closures/{closed['id']}/reopening", reopening, by="staff")

    on(16)
    await library.flow.settle(within=60)
    await library.post(f"/v1/loans/{kept['id']}/renewals", by=early)
    on(20)
    await library.job("circulation/overdue")
    for result in await library.take_back(books[:2], branch):
        assert result["charge"]["amount_cents"] == 600, result  # due on day 16, four days late


ALONE = (
    ("circulation", "work.before-commit"),
    ("notices", "relay.sent"),
    ("gateway", "listener.processed"),
    ("circulation", "sweep.moved"),
)
"""One case of each kind of step, in which a single process dies."""


def together(points: Sequence[str]) -> list[list[Step]]:
    """Return the steps of each service at these points; the services die at their own times."""
    return [
        [(service, point) for point in points if (service, point) in STEPS] for service in NAMES
    ]


CASES = {
    "one process at a time": [list(ALONE)],
    "all, around a commit": together(WORK),
    "all, as relays": together(RELAY),
    "all, as consumers": together(LISTENER),
}
"""Lists of steps. The processes of a list die one after another, the lists beside each other."""
MOST_DAYS = 8


async def killed_in_turn(system: System, steps: Sequence[Step]) -> dict[Step, Death]:
    """Kill a process at its second pass of each step, and start it again before the next."""
    deaths = {}
    for service, point in steps:
        async with doomed([system.process(service)], point, passes=2) as death:
            deaths[service, point] = await death
    return deaths


@pytest.mark.parametrize("case", CASES)
async def test_nothing_is_lost_or_doubled(running: System, library: Library, case: str) -> None:
    async with asyncio.TaskGroup() as group:
        killing = [group.create_task(killed_in_turn(running, steps)) for steps in CASES[case]]
        for day in range(MOST_DAYS):  # events sent together pass a step of the relay once
            await day_at_the_library(library, date(2020, 11, 2) + timedelta(days=30 * day))
            if all(one.done() for one in killing):
                break
    await library.flow.settle(within=90)

    found = await audit(running.settings(Settings))
    deaths = {step: death for one in killing for step, death in one.result().items()}
    for points, fault in FAULTS.items():
        away = [death.away for (_, point), death in deaths.items() if point in points]
        if away:
            record(
                fault,
                running,
                invariant="after a restart nothing is lost, nothing doubled",
                found=found,
                counts={"kills": len(away)},
                recovery=max(away),
            )
    assert found.findings == []
    assert found.counts["open loans"] > 0
    assert found.counts["fines"] > 0
    assert found.counts["notifications"] > 0


def test_each_step_of_each_service_has_a_kill() -> None:
    assert {step for case in CASES.values() for steps in case for step in steps} == set(STEPS)


async def owed(library: Library, branch: str) -> tuple[str, dict[str, Any]]:
    """Return a new patron and the fine of 600 cents that they owe."""
    library.now = "2020-11-02T10:00:00+08:00"
    card = await library.patron(branch)
    books = await library.copies(branch, 1)
    await library.lend(card, books, branch)
    library.now = "2020-11-20T10:00:00+08:00"  # due on the 16th
    [result] = await library.take_back(books, branch)
    assert result["charge"]["amount_cents"] == 600, result
    return card, result["charge"]


async def taken_for(system: System, charge_id: str) -> list[int]:
    """Return the captured amounts in cents for a charge, from the provider's own records."""
    settings = system.settings(Settings)
    client = patient_client(settings.mongo_url)
    try:
        database = client[f"{settings.database_prefix}_circulation"]
        begun = [one["_id"] async for one in database.payments.find({"parts.charge_id": charge_id})]
        found = database.double_books.find({"_id": {"$in": begun}, "capture": True})
        return [one["cents"] async for one in found]
    finally:
        client.close()


PAYMENT_STEPS = {
    "begun": ("work.after-commit", 1),
    "reserved": ("payment.authorised", 1),
    "reserved, recorded": ("work.after-commit", 2),
    "taken": ("payment.captured", 1),
    "settling": ("work.before-commit", 3),
    "settled": ("work.after-commit", 3),
}
"""Progress of a payment: the step, and the pass of it at which the process dies."""


@pytest.mark.parametrize("tries_again", [True, False], ids=["tries again", "gives up"])
async def test_a_payment_is_captured_once_whenever_its_process_is_killed(
    running: System, library: Library, tries_again: bool
) -> None:
    recovery = 0.0
    branch = await library.branch()
    await library.flow.settle(within=60)  # circulation lends only at branches that it knows
    for state, (point, passes) in PAYMENT_STEPS.items():
        card, charge = await owed(library, branch)
        body = {"charge_ids": [charge["id"]]}
        async with doomed([running.process("circulation")], point, passes) as death:
            if tries_again:
                await library.call("POST", "/v1/payments", body, by=card, within=90)
            else:
                with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
                    await library.try_("POST", "/v1/payments", body, by=card)
        recovery = max(recovery, death.result().away)
        library.now = "2020-11-20T10:05:00+08:00"  # the call's minute is over
        await library.job("circulation/payments")
        left = await outstanding(library, charge["id"], card)
        taken = await taken_for(running, charge["id"])
        assert (left, taken) in ((0, [600]), (600, [])), state
        if left:  # the provider did not know it: it was released, and can be paid again
            await library.post("/v1/payments", body, by=card)
        left = await outstanding(library, charge["id"], card)
        assert (left, await taken_for(running, charge["id"])) == (0, [600]), state
    await library.flow.settle(within=60)
    found = await audit(running.settings(Settings))
    record(
        "kill -9 in a payment: begun, reserved, taken, settled",
        running,
        invariant="the money is taken once, and what was taken is settled",
        found=found,
        counts={"kills": len(PAYMENT_STEPS)},
        recovery=recovery,
    )
    assert found.findings == []


async def outstanding(library: Library, charge_id: str, card: str) -> int:
    """Return the outstanding cents of a charge."""
    return int((await library.get(f"/v1/charges/{charge_id}", by=card))["outstanding_cents"])


ERASURE_STEPS = {
    "received": ("listener.received", 1),
    "noting": ("work.before-commit", 1),
    "noted": ("work.after-commit", 1),
    "ending the first": ("work.before-commit", 2),
    "first": ("work.after-commit", 2),
    "second": ("work.after-commit", 3),
    "offset committed": ("listener.committed", 1),
}
"""Progress of the events service with a patron's erasure, in the same form."""


async def test_places_of_an_erased_patron_go_to_others_whenever_events_is_killed(
    running: System, library: Library
) -> None:
    recovery = 0.0
    branch = await library.branch()
    for state, (point, passes) in ERASURE_STEPS.items():
        erased, waits = [await library.patron(branch) for _ in range(2)]
        activities = [await library.activity(places=1) for _ in range(2)]
        for activity in activities:
            for card in (erased, waits):
                await library.post(f"/v1/activities/{activity}/registration", by=card)
        patron = (await library.get("/v1/me", by=erased))["patron"]["id"]
        await library.flow.settle(within=60)

        async with doomed([running.process("events")], point, passes) as death:
            await library.call("DELETE", f"/v1/patrons/{patron}", by="staff")
            recovery = max(recovery, (await death).away)
        await library.flow.settle(within=60)

        for activity in activities:
            listed = await library.get(f"/v1/activities/{activity}/registrations", by="staff")
            assert [one["state"] for one in listed["items"]] == ["confirmed"], state
            assert listed["items"][0]["patron_id"] != patron, state
    found = await audit(running.settings(Settings))
    record(
        FAULTS[LISTENER],
        running,
        invariant="after a restart nothing is lost, nothing doubled",
        found=found,
        counts={"kills": len(ERASURE_STEPS)},
        recovery=recovery,
    )
    assert found.findings == []


ERASURE_KILLS = {
    "begun": ("accounts", "work.after-commit", 1),
    "closing": ("circulation", "work.before-commit", 1),
    "closed, not said so": ("circulation", "work.after-commit", 1),
    "closed": ("accounts", "erasure.closed", 1),
    "erasing": ("accounts", "work.before-commit", 2),
    "erased": ("accounts", "work.after-commit", 2),
}
"""Progress of an erasure when a process is killed: its service, the step, and its pass."""


async def is_gone(library: Library, patron: str) -> bool:
    return (await library.try_("GET", patron, by="staff"))[0] == 404


async def test_an_erasure_that_was_begun_is_finished_whichever_process_is_killed(
    running: System, library: Library
) -> None:
    """Each request is sent once; the job takes the steps that are left, some seconds later."""
    recovery = 0.0
    erased = []
    branch = await library.branch()
    for service, point, passes in ERASURE_KILLS.values():
        card = await library.patron(branch)
        patron = f"/v1/patrons/{(await library.get('/v1/me', by=card))['patron']['id']}"
        await library.flow.settle(within=60)
        async with doomed([running.process(service)], point, passes) as death:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                await library.try_("DELETE", patron, by="staff")
            recovery = max(recovery, (await death).away)
        erased.append(patron)
    for patron in erased:
        await until(partial(is_gone, library, patron))
    await library.flow.settle(within=60)
    found = await audit(running.settings(Settings))
    record(
        FAULTS[WORK],
        running,
        invariant="after a restart nothing is lost, nothing doubled",
        found=found,
        counts={"kills": len(ERASURE_KILLS)},
        recovery=recovery,
    )
    assert found.findings == []


CANCELLATION_STEPS = (
    ("work.before-commit", 1),  # no registration has ended
    ("work.after-commit", 1),  # those of the first transaction have ended
    ("work.after-commit", 1),  # all have ended, but the process has not recorded that
)
"""Progress of a cancellation; the process dies at each step, and goes on to the next."""


async def test_all_registrations_of_a_cancelled_activity_end_whenever_events_is_killed(
    running: System, library: Library
) -> None:
    branch = await library.branch()
    cards = [await library.patron(branch) for _ in range(CHUNK + 10)]  # enough for two transactions
    activity = await library.activity(places=5)
    for card in cards:
        await library.post(f"/v1/activities/{activity}/registration", by=card)
    async with doomed_at_each(running.process("events"), CANCELLATION_STEPS) as death:
        why = {"reason": "The hall is closed."}
        await library.post(f"/v1/activities/{activity}/cancellation", why, by="staff")
        recovery = (await death).away

    async def ended() -> bool:
        listed = await library.get(f"/v1/activities/{activity}/registrations", by="staff")
        return not listed["items"]

    await until(ended, within=60)
    await library.flow.settle(within=60)
    found = await audit(running.settings(Settings))  # one notification for each patron and activity
    record(
        FAULTS[WORK],
        running,
        invariant="after a restart nothing is lost, nothing doubled",
        found=found,
        counts={"kills": len(CANCELLATION_STEPS)},
        recovery=recovery,
    )
    assert found.findings == []
    for card in cards:
        inbox = (await library.get("/v1/me/inbox", by=card))["items"]
        assert [one["kind"] for one in inbox].count("registration.cancelled") == 1


@pytest.mark.parametrize("point", ["work.after-commit", ""], ids=["before the answer", "after it"])
async def test_a_look_at_visits_is_on_record_whenever_its_process_is_killed(
    running: System, library: Library, point: str
) -> None:
    library.now = "2020-11-02T10:00:00+08:00"
    branch = await library.branch()
    visitor = {"door": "Main", "name": "Ng Ka-yi", "phone": "6123 4567"}
    await library.post(f"/v1/branches/{branch}/visits", visitor, by="staff")
    span = {"start": "2020-11-02T09:00:00+08:00", "until": "2020-11-02T11:00:00+08:00"}
    case = {"case_number": f"CASE {branch}", "reason": "A visitor has fallen ill"}
    body = {"branch": branch, **span, **case}
    await library.flow.settle(within=60)  # so that only the look passes the point
    notices = running.process("notices")
    if point:
        async with doomed([notices], point, 1):
            status, _ = await library.try_("POST", "/v1/tracings", body, by="tracer")
        assert status == 503
    else:
        status, seen = await library.try_("POST", "/v1/tracings", body, by="tracer")
        notices.kill()
        assert (status, [one["name"] for one in seen["visits"]]) == (201, ["Ng Ka-yi"])
        await asyncio.to_thread(notices.start)
    looks = (await library.get("/v1/tracings", by="ops"))["items"]
    assert [one["found"] for one in looks if one["case_number"] == case["case_number"]] == [1]
