"""Webhooks, against a real receiver that is slow, refuses, redirects and breaks off."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from bson import encode
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from services.notices.app import create_app
from services.notices.channels.clients import receivers as channels_receivers
from services.notices.settings import Settings
from shared.data_keys import DataKey, accept
from tests.notices import library
from tests.notices.lending import Lending
from tests.receiver import Receiver, receiving
from tests.support import OPS, Answer, Api, patient_client, served, until

MOVED, OVERDUE = "loan.due-date-changed", "loan.overdue"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(Receiver()) as receiver:
        yield receiver


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with receiving(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_keys": "the master key of these tests"})


async def add(api: Api, receiver: Receiver, *kinds: str) -> dict[str, Any]:
    body = {"url": receiver.url, "topics": kinds or [MOVED]}
    answer = await api.post("/v1/webhooks", body, as_=library.STAFF)
    assert answer.status == 201, answer.body
    added: dict[str, Any] = answer.json()
    return added


async def listed(api: Api) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await api.get("/v1/webhooks", as_=OPS)).json()["items"]
    return items


async def send(api: Api) -> int:
    """Run the job once; return the number of tries."""
    return await api.job("notices/webhooks")


async def tell(api: Api, number: int, patron: str = "p") -> None:
    await library.hear(api, library.moved("loan-1", patron), f"e-{number}", library.FEBRUARY_17)


async def stored(api: Api) -> list[dict[str, Any]]:
    messages = api.app.state.database.webhook_messages
    return [one async for one in messages.find().sort("queued_at", 1)]


async def states(api: Api) -> list[tuple[str, str | None, int | None]]:
    return [(one["state"], one["reason"], one["status"]) for one in await stored(api)]


async def time_passes(api: Api, passed: timedelta) -> None:
    """Put all that is stored of webhooks back in time."""
    database = api.app.state.database
    for name, fields in {
        "webhook_messages": ("next_at", "queued_at"),
        "webhooks": ("failing_since", "former_until"),
    }.items():
        async for one in database[name].find():
            earlier = {field: one[field] - passed for field in fields if one[field]}
            await database[name].update_one({"_id": one["_id"]}, {"$set": earlier})


async def test_a_receiver_gets_ids_with_a_signature_that_its_secret_verifies(
    api: Api, receiver: Receiver
) -> None:
    added = await add(api, receiver)
    await tell(api, 1)
    [told] = await library.inbox(api, "p")
    assert await send(api) == 1
    [request] = receiver.requests
    assert Verifier(added["secret"]).verify(request.content, request.headers) == {
        "type": MOVED,
        "timestamp": "2021-02-17T08:00:00Z",
        "data": {"notification_id": told["id"], "patron_id": "p"},
    }
    with pytest.raises(WebhookVerificationError):
        Verifier(added["secret"]).verify(request.content + b" ", request.headers)
    assert request.headers["content-type"] == "application/json"
    assert await send(api) == 0
    [shown] = await listed(api)
    assert shown["last_success_at"] is not None
    assert (shown["state"], shown["waiting"], shown["last_failure"]) == ("enabled", 0, None)


async def test_only_the_chosen_kinds_are_sent_each_to_every_webhook_that_wants_it(
    api: Api, receiver: Receiver, other: Receiver, lending: Lending
) -> None:
    await add(api, receiver, MOVED)
    await add(api, other, MOVED, OVERDUE)
    lending.owes("loan-1", 750)
    await tell(api, 1)
    await library.hear(api, library.overdue("loan-1", "p"), "e-2", library.DECEMBER_9)
    assert await send(api) == 3
    assert [json.loads(one.content)["type"] for one in receiver.requests] == [MOVED]
    kinds = {json.loads(one.content)["type"] for one in other.requests}
    assert kinds == {MOVED, OVERDUE}
    assert len({*receiver.ids, *other.ids}) == 3


async def test_each_notification_is_sent_once_by_two_replicas_however_often_its_event_comes(
    api: Api, replica: Api, receiver: Receiver
) -> None:
    await add(api, receiver)
    for number in range(20):
        for each in (api, replica, api):
            await tell(each, number)
    await asyncio.gather(*(send(each) for each in (api, replica) * 3))
    while await send(api):  # a round begins no try after its time
        pass
    assert len(set(receiver.ids)) == len(receiver.ids) == 20


async def test_a_failed_message_is_sent_again_with_its_id_once_the_receiver_is_back(
    api: Api, receiver: Receiver
) -> None:
    added = await add(api, receiver)
    receiver.answers.extend([500, 302])
    receiver.location = f"http://127.0.0.1:{receiver.port}/elsewhere"
    await tell(api, 1)
    for status in (500, 302):
        assert await send(api) == 1
        assert await states(api) == [("waiting", "refused", status)]
        assert await send(api) == 0  # it pauses
        await time_passes(api, timedelta(minutes=5))
    receiver.drops = 1
    assert await send(api) == 1
    assert await states(api) == [("waiting", "away", None)]
    [shown] = await listed(api)
    assert (shown["last_failure"], shown["waiting"]) == ("away", 1)
    await time_passes(api, timedelta(hours=1))
    assert await send(api) == 1
    assert await states(api) == [("sent", None, 204)]
    assert len(receiver.ids) == 4
    assert len(set(receiver.ids)) == 1
    assert {one.path for one in receiver.requests} == {"/hook"}
    for request in receiver.requests:
        Verifier(added["secret"]).verify(request.content, request.headers)


async def test_a_receiver_that_is_away_for_an_hour_misses_nothing(api: Api) -> None:
    receiver = Receiver()
    async with receiving(receiver):
        await add(api, receiver)
    for number in range(5):
        await tell(api, number)
    for _ in range(12):
        assert await send(api) <= 1  # one vain try in each round
        await time_passes(api, timedelta(minutes=5))
    assert {state for state, _, _ in await states(api)} == {"waiting"}
    async with receiving(receiver):
        await time_passes(api, timedelta(hours=1))
        assert await send(api) == 5
    assert len(set(receiver.ids)) == 5
    assert (await listed(api))[0]["state"] == "enabled"


async def test_a_message_is_given_up_after_a_day(api: Api, receiver: Receiver) -> None:
    await add(api, receiver)
    receiver.answers.append(503)
    await tell(api, 1)
    assert await send(api) == 1
    await time_passes(api, timedelta(days=1))
    assert await send(api) == 1
    assert await states(api) == [("failed", "too-late", 503)]
    assert len(receiver.requests) == 1


async def test_a_webhook_without_success_for_days_is_disabled_until_someone_enables_it(
    api: Api, receiver: Receiver
) -> None:
    added = await add(api, receiver)
    for number, state in ((1, "enabled"), (2, "failing")):
        receiver.answers.append(500)
        await tell(api, number)
        assert await send(api) >= 1
        assert [one["state"] for one in await listed(api)] == [state]
        await time_passes(api, timedelta(days=3))
    await tell(api, 3)
    assert await send(api) == 1  # gives the second up
    assert len(receiver.requests) == 2
    path = f"/v1/webhooks/{added['id']}"
    assert (await api.patch(path, {"enabled": True}, as_=library.STAFF)).json()[
        "state"
    ] == "enabled"
    receiver.answers.append(500)
    await tell(api, 4)
    await send(api)
    assert (await listed(api))[0]["state"] == "enabled"


async def test_a_webhook_whose_receiver_is_gone_is_disabled_at_once(
    api: Api, receiver: Receiver
) -> None:
    await add(api, receiver)
    receiver.answers.append(410)
    await tell(api, 1)
    await tell(api, 2)
    assert await send(api) == 1
    [shown] = await listed(api)
    assert (shown["state"], shown["last_status"]) == ("gone", 410)
    assert await send(api) == 1
    assert sorted(await states(api), key=str) == [
        ("dropped", "disabled", None),
        ("failed", "refused", 410),
    ]
    assert len(receiver.requests) == 1


async def test_a_slow_receiver_holds_no_other(
    api: Api, receiver: Receiver, other: Receiver
) -> None:
    await add(api, receiver)
    receiver.may_answer.clear()
    await tell(api, 0)
    sending = asyncio.create_task(send(api))
    await until(lambda: _received(receiver, 1))
    await add(api, other)
    for number in range(1, 4):
        await tell(api, number)
    await until(lambda: _received(other, 3))  # while the same round waits for the slow one
    assert not sending.done()
    receiver.may_answer.set()
    assert await sending == 7
    assert len(set(receiver.ids)) == 4


async def _received(receiver: Receiver, count: int) -> bool:
    return len(receiver.requests) >= count


async def test_a_receiver_that_never_answers_is_left_after_its_time(
    api: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels_receivers, "SEND_SECONDS", 0.3)
    await add(api, receiver)
    receiver.may_answer.clear()
    await tell(api, 1)
    assert await send(api) == 1
    assert await states(api) == [("waiting", "away", None)]


async def test_a_long_answer_is_not_read(api: Api, receiver: Receiver) -> None:
    await add(api, receiver)
    receiver.body = b"x" * 5_000_000
    receiver.answers.append(200)
    await tell(api, 1)
    assert await send(api) == 1
    assert await states(api) == [("sent", None, 200)]


INSIDE = ["http://127.0.0.1", "https://127.0.0.1", "https://10.0.0.8", "https://[::1]"]
INSIDE += ["https://[::ffff:127.0.0.1]", "https://169.254.169.254", "https://[fe80::1]"]
INSIDE += ["https://user@example.org", "ftp://example.org", "https://example.org/#a", "https://"]
INSIDE += ["http://example.org", "https://example.org/ a", "https://exämple.org", "//example.org"]
INSIDE += ["https://example.org:99999", "https://100.64.0.1", "https://224.0.0.1"]
INSIDE += ["https://[64:ff9b::a00:1]", "https://[2002:7f00:1::]", "https://example.org\\@a"]


@pytest.mark.parametrize("url", INSIDE)
async def test_addresses_that_are_not_public_https_are_refused(
    settings: Settings, url: str
) -> None:
    strict = settings.model_copy(update={"simulation": False})
    async with served(create_app, strict) as api:
        answer = await api.post("/v1/webhooks", {"url": url, "topics": [MOVED]}, as_=library.STAFF)
        assert answer.status == 422, answer.body
        assert answer.json()["code"] == "bad-webhook-url"
        assert await listed(api) == []


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "app.example.org"])
async def test_a_name_that_leads_inside_is_resolved_once_and_not_connected_to(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """The name server says something else each time: only the checked address is connected to."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def answered(name: Any, port: Any, *more: Any, **options: Any) -> Any:
        if name == "app.example.org":
            asked.append(name)
            name = "127.0.0.1" if len(asked) % 2 else "192.0.2.1"
        return real(name, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answered)
    strict = settings.model_copy(update={"simulation": False})
    async with served(create_app, strict) as api:
        url = f"https://{host}:{receiver.port}/hook"
        answer = await api.post("/v1/webhooks", {"url": url, "topics": [MOVED]}, as_=library.STAFF)
        assert answer.status == 201, answer.body
        await tell(api, 1)
        assert await send(api) == 1
        assert await states(api) == [("waiting", "not-allowed", None)]
        [shown] = await listed(api)
        assert shown["last_failure"] == "not-allowed"
    assert receiver.requests == []
    assert len(asked) == (host == "app.example.org")


async def test_a_new_secret_and_the_former_one_both_sign_for_a_day(
    api: Api, receiver: Receiver
) -> None:
    added = await add(api, receiver)
    path = f"/v1/webhooks/{added['id']}/secret"
    renewed = (await api.post(path, as_=library.STAFF)).json()
    assert renewed["secret"] != added["secret"]
    await tell(api, 1)
    await send(api)
    for secret in (added["secret"], renewed["secret"]):
        Verifier(secret).verify(receiver.requests[0].content, receiver.requests[0].headers)
    await time_passes(api, timedelta(days=1))
    await tell(api, 2)
    await send(api)
    request = receiver.requests[1]
    Verifier(renewed["secret"]).verify(request.content, request.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(added["secret"]).verify(request.content, request.headers)


async def test_the_secret_is_shown_once_and_stored_nowhere(api: Api, receiver: Receiver) -> None:
    body = {"url": receiver.url, "topics": [MOVED]}
    answers = [await api.post("/v1/webhooks", body, as_=library.STAFF, key="K-1") for _ in range(2)]
    secret = answers[0].json()["secret"]
    assert [one.json()["secret"] for one in answers] == [secret, secret]
    shown = await api.get("/v1/webhooks", as_=library.STAFF)
    assert secret not in shown.body.decode()
    assert len(shown.json()["items"]) == 1
    database = api.app.state.database
    for name in await database.list_collection_names():
        found = [encode(document) async for document in database[name].find()]
        assert not any(secret.encode() in one for one in found), name


async def test_a_test_message_is_sent_once(api: Api, receiver: Receiver) -> None:
    added = await add(api, receiver)
    path = f"/v1/webhooks/{added['id']}"
    for status, state in ((204, "sent"), (500, "failed")):
        receiver.answers.append(status)
        queued = await api.post(f"{path}/tests", as_=library.STAFF)
        assert queued.status == 202, queued.body
        assert await send(api) == 1
        assert receiver.ids[-1] == queued.json()["message_id"]
        assert (await states(api))[-1][0] == state
    body = Verifier(added["secret"]).verify(
        receiver.requests[0].content, receiver.requests[0].headers
    )
    assert (body["type"], body["data"]) == ("webhook.test", {})
    off = await api.patch(path, {"enabled": False}, as_=library.STAFF)
    assert off.json()["state"] == "disabled"
    assert _code(await api.post(f"{path}/tests", as_=library.STAFF)) == (409, "webhook-disabled")


async def test_a_disabled_or_deleted_webhook_gets_nothing(api: Api, receiver: Receiver) -> None:
    added = await add(api, receiver)
    path = f"/v1/webhooks/{added['id']}"
    await tell(api, 1)
    await api.patch(path, {"enabled": False}, as_=library.STAFF)
    await tell(api, 2)
    assert await send(api) == 1
    assert await states(api) == [("dropped", "disabled", None)]
    await api.patch(path, {"enabled": True}, as_=library.STAFF)
    await tell(api, 3)
    assert (await api.delete(path, as_=library.STAFF)).status == 204
    assert await stored(api) == []
    assert await send(api) == 0
    assert receiver.requests == []
    for method in ("PATCH", "DELETE"):
        body = {"enabled": True} if method == "PATCH" else None
        answer = await api.insist(method, path, body, as_=library.STAFF)
        assert _code(answer) == (404, "no-such-webhook")


async def test_a_withdrawn_notification_is_sent_only_once_it_is_put_back(
    api: Api, receiver: Receiver
) -> None:
    await library.register(api, "STPL")
    await add(api, receiver, "branch.reopened")
    await library.hear(api, library.prefers("p", 1, ("STPL",)), "e-1", library.DECEMBER_9)
    await library.hear(api, library.reopened("STPL"), "e-2", library.FEBRUARY_17)
    await library.hear(api, library.prefers("p", 2, ()), "e-3", "2020-12-10T08:00:00+08:00")
    assert await library.inbox(api, "p") == []
    assert await send(api) == 1
    assert await states(api) == [("dropped", "withdrawn", None)]
    await library.hear(api, library.prefers("p", 3, ("STPL",)), "e-4", "2020-12-11T08:00:00+08:00")
    assert await send(api) == 1
    assert await states(api) == [("sent", None, 204)]


async def test_an_erased_patron_leaves_no_message(api: Api, receiver: Receiver) -> None:
    await add(api, receiver)
    await tell(api, 1)
    await send(api)
    receiver.may_answer.clear()
    await tell(api, 2)
    sending = asyncio.create_task(send(api))
    await until(lambda: _received(receiver, 2))
    await library.hear(api, library.erased("p"), "e-9", library.FEBRUARY_17)
    receiver.may_answer.set()
    assert await sending == 1
    assert await stored(api) == []
    await tell(api, 3)
    assert await send(api) == 0


async def test_fifty_registrations_at_once_stay_within_the_limit(
    api: Api, replica: Api, receiver: Receiver
) -> None:
    body = {"url": receiver.url, "topics": [MOVED]}
    answers = await asyncio.gather(
        *(
            each.insist("POST", "/v1/webhooks", body, as_=library.STAFF)
            for each in (api, replica) * 25
        )
    )
    made = [one for one in answers if one.status == 201]
    assert len(made) == 20
    assert {_code(one) for one in answers if one.status != 201} == {(409, "too-many-webhooks")}
    assert len(await listed(api)) == 20


async def test_without_a_master_key_there_are_no_webhooks(
    settings: Settings, receiver: Receiver
) -> None:
    off = settings.model_copy(update={"webhook_keys": ""})
    async with served(create_app, off) as api:
        body = {"url": receiver.url, "topics": [MOVED]}
        assert _code(await api.post("/v1/webhooks", body, as_=library.STAFF)) == (
            409,
            "webhooks-off",
        )
        assert await send(api) == 0


async def test_a_lost_master_key_stops_only_the_webhooks_that_it_sealed(
    api: Api, settings: Settings, receiver: Receiver, other: Receiver
) -> None:
    lost = await add(api, receiver)
    changed = settings.model_copy(update={"webhook_keys": "another master key for these"})
    client = patient_client(settings.mongo_url)
    await accept(  # as by carrel keys accept
        client[f"{settings.database_prefix}_notices"],
        DataKey("CARREL_WEBHOOK_KEYS", changed.webhook_keys),
    )
    client.close()
    async with served(create_app, changed) as second:
        await add(second, other)
        await tell(api, 1)
        assert await send(second) == 2
        assert len(other.requests) == 1
        assert sorted(await states(api), key=str) == [
            ("sent", None, 204),
            ("waiting", "no-key", None),
        ]
        renewed = (await second.post(f"/v1/webhooks/{lost['id']}/secret", as_=library.STAFF)).json()
        await time_passes(api, timedelta(minutes=5))
        assert await send(second) == 1
    Verifier(renewed["secret"]).verify(receiver.requests[0].content, receiver.requests[0].headers)


async def test_unknown_topics_are_refused(api: Api, receiver: Receiver) -> None:
    body = {"url": receiver.url, "topics": [MOVED, "loan.eaten"]}
    answer = await api.post("/v1/webhooks", body, as_=library.STAFF)
    assert _code(answer) == (422, "no-such-topic")
    assert answer.json()["topics"] == ["loan.eaten"]


def _code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]
