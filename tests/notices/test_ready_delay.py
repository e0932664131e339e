"""The time between the scan of a ready item and the moment at which its patron is told."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from ops.audit.findings import Audit, Recorded
from ops.audit.notices import check_notifications
from services.notices.app import create_app
from services.notices.settings import Settings
from shared.contracts.circulation import HoldReady
from tests.mail_server import MailServer, listening
from tests.notices.lending import Lending
from tests.notices.library import STAFF, erased, hear, hold, inbox, prefers, register
from tests.notices.mails import BEFORE, BOTH, MEI, log, parts, send, with_mail
from tests.support import Api, served, token

PATH = "/v1/branches/TPO/ready-delay"
READY = hold(HoldReady, 2, state="ready")
SCANNED = "2020-12-09T10:00:00+08:00"
AT_29 = "2020-12-09T10:29:59+08:00"
AT_30 = "2020-12-09T10:30:00+08:00"


def waits(**more: Any) -> dict[str, Any]:
    return {"state": "ready", "pickup_branch": "TPO", "shelf_until": "2020-12-16", **more}


@pytest.fixture(autouse=True)
async def tai_po(api: Api, lending: Lending) -> None:
    """A library that takes 30 minutes, and an item that is ready there."""
    await register(api, "TPO")
    answer = await api.put(PATH, {"minutes": 30}, as_=STAFF)
    assert answer.status == 200, answer.body
    lending.holds["hold-1"] = waits()


async def tell(api: Api, at: str) -> int:
    return await api.job("notices/tell-held", at=at)


async def test_inbox_and_email_wait_for_the_delay(
    api: Api, settings: Settings, lending: Lending
) -> None:
    lending.addresses["p"] = MEI
    await hear(api, prefers("p", 1, channels=BOTH), "e-0", BEFORE)
    await hear(api, READY, "e-1", SCANNED)
    assert await inbox(api, "p") == []
    [held] = await log(api)
    assert (held["channel"], held["state"], held["kind"]) == ("inbox", "held", "hold.ready")
    assert held["next_at"] == "2020-12-09T02:30:00Z"
    async with listening(MailServer()) as server:
        async with served(create_app, with_mail(settings, server)) as mailing:
            assert await tell(api, AT_29) == 0
            assert await send(mailing, at=AT_29) == 0
            # A closure has moved the last day meanwhile.
            lending.holds["hold-1"] = waits(shelf_until="2020-12-30")
            assert await tell(api, AT_30) == 1
            assert await send(mailing, at=AT_30) == 1
        [message] = server.accepted
    [told] = await inbox(api, "p")
    assert told["at"] == "2020-12-09T02:30:00Z"
    assert "until 30 December 2020" in told["text"]
    assert "until 30 December 2020" in parts(message)[0]
    assert sorted((one["channel"], one["state"]) for one in await log(api)) == [
        ("email", "sent"),
        ("inbox", "sent"),
    ]
    assert await tell(api, AT_30) == 0


@pytest.mark.parametrize(
    "now",
    [
        waits(state="collected"),
        waits(state="cancelled"),
        waits(pickup_branch="STPL"),
        None,
    ],
)
async def test_a_patron_who_has_collected_or_cancelled_is_told_nothing(
    api: Api, lending: Lending, now: dict[str, Any] | None
) -> None:
    await hear(api, READY, "e-1", SCANNED)
    lending.holds = {} if now is None else {"hold-1": now}
    assert await tell(api, AT_30) == 1
    assert await inbox(api, "p") == []
    [ended] = await log(api)
    assert (ended["state"], ended["reason"]) == ("dropped", "outdated")
    await hear(api, READY, "e-1", SCANNED)
    assert await tell(api, AT_30) == 0


async def test_two_replicas_tell_once_however_often_the_event_comes(api: Api, replica: Api) -> None:
    for each in (api, replica, api):
        await hear(each, READY, "e-1", SCANNED)
    await asyncio.gather(*(tell(each, AT_30) for each in (api, replica) * 5))
    assert len(await inbox(api, "p")) == 1
    # The delay is over, or set to none, when the event comes again.
    await api.put(PATH, {"minutes": 0}, as_=STAFF)
    await hear(replica, READY, "e-1", SCANNED)
    assert await tell(api, AT_30) == 0
    assert len(await inbox(api, "p")) == 1
    outbox = api.app.state.database.outbox
    assert await outbox.count_documents({"topic": "notification.delivered"}) == 1


async def test_while_lending_is_away_the_notification_waits(api: Api, lending: Lending) -> None:
    await hear(api, READY, "e-1", SCANNED)
    lending.away = True
    assert await tell(api, AT_30) == 0
    assert (await log(api))[0]["state"] == "held"
    lending.away = False
    assert await tell(api, AT_30) == 1
    assert len(await inbox(api, "p")) == 1


async def test_an_erased_patron_is_told_nothing_and_leaves_nothing(api: Api) -> None:
    await hear(api, READY, "e-1", SCANNED)
    await hear(api, erased("p"), "e-2", SCANNED)
    assert await tell(api, AT_30) == 0
    assert await log(api) == []
    await hear(api, READY, "e-3", SCANNED)
    assert await log(api) == []


async def test_other_libraries_and_other_messages_do_not_wait(api: Api) -> None:
    await register(api, "STPL")
    await hear(api, hold(HoldReady, 2, state="ready", pickup_branch="STPL"), "e-1", SCANNED)
    assert len(await inbox(api, "p")) == 1


@pytest.mark.parametrize("told", [True, False])
async def test_the_audit_misses_only_notifications_that_are_neither_told_nor_held_back(
    api: Api, lending: Lending, *, told: bool
) -> None:
    database = api.app.state.database
    now = datetime.now(UTC)
    body = orjson.dumps({"patron_id": "p"})
    await database.outbox.insert_one({"topic": "hold.ready", "recorded_at": now, "body": body})
    recorded = Recorded({"circulation": database}, now)

    async def audited() -> tuple[int, int]:
        audit = Audit()
        await check_notifications(audit, database, recorded)
        return audit.lost, audit.doubled

    assert await audited() == (1, 0)
    await hear(api, READY, "e-1", SCANNED)
    assert await audited() == (0, 0)
    if not told:
        lending.holds.clear()
    assert await tell(api, AT_30) == 1
    assert await audited() == (0, 0)
    await database.notifications.delete_many({})
    await database.deliveries.delete_many({})
    assert await audited() == (1, 0)


async def test_staff_set_the_minutes_of_a_library_that_exists(api: Api) -> None:
    found = await api.get(PATH, as_=STAFF)
    assert found.json()["minutes"] == 30
    assert found.json()["set_by"]
    for minutes in (-1, 241, 1.5, "soon"):
        assert (await api.put(PATH, {"minutes": minutes}, as_=STAFF)).status == 422
    assert (await api.put(PATH, {"minutes": 240}, as_=STAFF)).status == 200
    nowhere = "/v1/branches/NONE/ready-delay"
    assert (await api.put(nowhere, {"minutes": 1}, as_=STAFF)).status == 404
    assert (await api.get(nowhere, as_=STAFF)).status == 404
    await register(api, "STPL")
    never = (await api.get("/v1/branches/STPL/ready-delay", as_=STAFF)).json()
    assert never == {"minutes": 0, "set_by": None, "set_at": None}
    assert (await api.put(PATH, {"minutes": 1}, as_=token("p", ["patron"]))).status == 403
