"""Notifications on devices, with a real push service that reads what only the device can."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from services.notices.app import create_app
from services.notices.channels.clients.push import decoded, vapid_of
from services.notices.settings import Settings
from shared.clock import wall_clock
from tests.device import VAPID, Device
from tests.notices import library
from tests.notices.lending import Lending
from tests.receiver import Receiver, receiving
from tests.support import Answer, Api, served, token, until

BEFORE = "2020-10-01T10:00:00+08:00"
PATH = "/v1/me/push-subscriptions"
OPEN = {"state": "open", "due_on": "2021-02-19", "title_id": "title-1"}


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    """A push service."""
    async with receiving(Receiver()) as service:
        yield service


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return Settings.model_validate(settings.model_dump() | VAPID)


@pytest.fixture
def device(service: Receiver) -> Device:
    return Device(f"http://127.0.0.1:{service.port}/push/1")


@pytest.fixture(autouse=True)
async def loan(lending: Lending) -> None:
    lending.loans["loan-1"] = OPEN


async def add(api: Api, device: Device, by: str = "p") -> dict[str, Any]:
    answer = await api.post(PATH, device.subscription, as_=library.patron(by))
    assert answer.status == 201, answer.body
    added: dict[str, Any] = answer.json()
    return added


async def listed(api: Api, by: str = "p") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await api.get(PATH, as_=library.patron(by))).json()["items"]
    return items


async def send(api: Api, at: str | None = None) -> int:
    """Run the job once; return the number of tries."""
    return await api.job("notices/pushes", at=at)


async def tell(api: Api, number: int, to: str = "p") -> None:
    await library.hear(api, library.moved("loan-1", to), f"e-{number}", library.FEBRUARY_17)


async def states(api: Api) -> list[tuple[str, str | None, int | None]]:
    messages = api.app.state.database.push_messages.find().sort("queued_at", 1)
    return [(one["state"], one["reason"], one["status"]) async for one in messages]


async def time_passes(api: Api, passed: timedelta) -> None:
    messages = api.app.state.database.push_messages
    async for one in messages.find():
        earlier = {name: one[name] - passed for name in ("next_at", "queued_at")}
        await messages.update_one({"_id": one["_id"]}, {"$set": earlier})


async def test_a_device_gets_the_text_in_the_patrons_language_encrypted_for_it_alone(
    api: Api, service: Receiver, device: Device
) -> None:
    await library.hear(api, library.title(1, "Tom & <Jerry>"), "e-1", BEFORE)
    await library.hear(api, library.prefers("p", 1, language="zh-Hant"), "e-2", BEFORE)
    await add(api, device)
    await tell(api, 3)
    [told] = await library.inbox(api, "p")
    assert await send(api) == 1
    [request] = service.requests
    assert device.read(request.content) == {
        "title": "您的圖書館帳戶有新訊息",
        "text": told["text"],
        "language": "zh-Hant",
        "tag": told["id"],
        "url": "/inbox",
    }
    assert told["text"].encode() not in request.content
    assert request.headers["content-encoding"] == "aes128gcm"
    assert request.headers["ttl"] == "86400"
    assert await states(api) == [("sent", None, 204)]
    assert await send(api) == 0


async def test_a_push_service_can_verify_that_the_library_sends(
    api: Api, service: Receiver, device: Device
) -> None:
    await add(api, device)
    await tell(api, 1)
    await send(api)
    scheme, _, rest = service.requests[0].headers["authorization"].partition(" ")
    assert scheme == "vapid"
    given = dict(one.strip().split("=", 1) for one in rest.split(","))
    key = (await api.get(PATH, as_=library.patron("p"))).json()["key"]
    assert given["k"] == key
    point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decoded(key))
    pem = point.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(given["t"], ECKey.import_key(pem), algorithms=["ES256"]).claims
    assert claims["aud"] == f"http://127.0.0.1:{service.port}"
    assert claims["sub"] == "mailto:library@example.org"
    assert wall_clock().timestamp() < claims["exp"] < wall_clock().timestamp() + 24 * 3600


@pytest.mark.parametrize("status", [404, 410])
async def test_a_device_that_is_gone_is_removed(
    api: Api, service: Receiver, device: Device, status: int
) -> None:
    await add(api, device)
    await tell(api, 1)
    await tell(api, 2)
    service.answers.append(status)
    assert await send(api) == 1
    assert await listed(api) == []
    assert await states(api) == []
    await tell(api, 3)
    assert await send(api) == 0


async def test_a_failed_message_is_sent_again_until_a_day_is_over(
    api: Api, service: Receiver, device: Device
) -> None:
    await add(api, device)
    await tell(api, 1)
    service.answers.extend([429, 500])
    for status in (429, 500):
        assert await send(api) == 1
        assert await states(api) == [("waiting", "refused", status)]
        assert await send(api) == 0  # it pauses
        await time_passes(api, timedelta(minutes=5))
    service.drops = 1
    assert await send(api) == 1
    assert await states(api) == [("waiting", "away", None)]
    await time_passes(api, timedelta(minutes=5))
    assert await send(api) == 1
    assert await states(api) == [("sent", None, 204)]
    tags = {device.read(one.content)["tag"] for one in service.requests}
    assert len(service.requests) == 4
    assert len(tags) == 1  # so that a device shows a repeated message once
    await tell(api, 2)
    service.answers.append(500)
    await send(api)
    await time_passes(api, timedelta(days=1))
    assert await send(api) == 1
    assert ("failed", "too-late", 500) in await states(api)


async def test_each_notification_reaches_each_device_once_by_two_replicas(
    api: Api, replica: Api, service: Receiver
) -> None:
    devices = [Device(f"http://127.0.0.1:{service.port}/push/{one}") for one in range(3)]
    for device in devices:
        await add(api, device)
        await add(replica, device)
    for number in range(5):
        for each in (api, replica, api):
            await tell(each, number)
    await asyncio.gather(*(send(each) for each in (api, replica) * 3))
    while await send(api):  # a round begins no try after its time
        pass
    assert len(service.requests) == 15
    told = {
        (device.endpoint, device.read(one.content)["tag"])
        for device in devices
        for one in service.requests
        if device.endpoint.endswith(one.path)
    }
    assert len(told) == 15


async def test_nothing_is_sent_that_became_untrue(
    api: Api, service: Receiver, device: Device, lending: Lending
) -> None:
    await add(api, device)
    await tell(api, 1)
    lending.loans.clear()
    assert await send(api) == 1
    assert await states(api) == [("dropped", "outdated", None)]
    assert service.requests == []


async def test_in_quiet_hours_messages_wait(
    api: Api, settings: Settings, service: Receiver, device: Device
) -> None:
    await add(api, device)
    await tell(api, 1)
    begin, end = [
        (wall_clock() + timedelta(hours=hours)).astimezone(settings.zone).strftime("%H:%M")
        for hours in (-6, 6)
    ]
    for hours, tries in ((f"{begin}-{end}", 0), (f"{end}-{begin}", 1)):
        changed = settings.model_copy(update={"quiet_hours": hours})
        async with served(create_app, changed) as other:
            assert await send(other) == tries


async def test_a_patron_sees_and_stops_only_their_own_devices(
    api: Api, service: Receiver, device: Device
) -> None:
    added = await add(api, device)
    again = await add(api, device)  # the same browser, with the same address
    assert again["id"] == added["id"]
    [shown] = await listed(api)
    assert (shown["name"], set(shown)) == ("Firefox, Android", {"id", "name", "created_at"})
    assert await listed(api, "q") == []
    path = f"{PATH}/{added['id']}"
    assert _code(await api.delete(path, as_=library.patron("q"))) == (404, "no-such-device")
    await tell(api, 1)
    assert (await api.delete(path, as_=library.patron("p"))).status == 204
    assert await listed(api) == []
    assert await send(api) == 0
    assert _code(await api.delete(path, as_=library.patron("p"))) == (404, "no-such-device")


async def test_a_browser_that_another_patron_uses_now_shows_only_that_patrons_messages(
    api: Api, service: Receiver, device: Device
) -> None:
    await add(api, device)
    await tell(api, 1)
    await add(api, device, by="q")
    await tell(api, 2)
    await tell(api, 3, to="q")
    assert await listed(api) == []
    assert len(await listed(api, "q")) == 1
    assert await send(api) == 1
    [told] = await library.inbox(api, "q")
    assert [device.read(one.content)["tag"] for one in service.requests] == [told["id"]]


async def test_an_erased_patron_leaves_no_device_and_no_message(
    api: Api, service: Receiver, device: Device
) -> None:
    await library.hear(api, library.registered("p"), "e-0", BEFORE)
    await add(api, device)
    service.may_answer.clear()
    await tell(api, 1)
    sending = asyncio.create_task(send(api))
    await until(lambda: _received(service, 1))
    await library.hear(api, library.erased("p"), "e-9", library.FEBRUARY_17)
    service.may_answer.set()
    assert await sending == 1
    database = api.app.state.database
    assert await database.push_messages.count_documents({}) == 0
    assert await database.push_subscriptions.count_documents({}) == 0
    answer = await api.post(PATH, device.subscription, as_=library.patron("p"))
    assert _code(answer) == (404, "no-such-patron")


async def _received(service: Receiver, count: int) -> bool:
    return len(service.requests) >= count


async def test_fifty_devices_at_once_stay_within_the_limit(
    api: Api, replica: Api, service: Receiver
) -> None:
    subscriptions = [Device(f"https://push.example.net/{one}").subscription for one in range(50)]
    answers = await asyncio.gather(
        *(
            (api, replica)[number % 2].insist("POST", PATH, one, as_=library.patron("p"))
            for number, one in enumerate(subscriptions)
        )
    )
    assert sum(one.status == 201 for one in answers) == 10
    refused = {_code(one) for one in answers if one.status != 201}
    assert refused == {(409, "too-many-devices")}
    assert len(await listed(api)) == 10


BAD = [
    {"endpoint": "http://push.example.net/1"},
    {"endpoint": "https://10.0.0.1/1"},
    {"endpoint": "https://[::ffff:10.0.0.1]/1"},
    {"p256dh": "BCVxsr7N"},
    {"p256dh": "A" * 87},
    {"p256dh": "é" * 10},
    {"auth": "AAAA"},
]


@pytest.mark.parametrize("wrong", BAD, ids=str)
async def test_a_subscription_with_a_wrong_address_or_key_is_refused(
    api: Api, device: Device, wrong: dict[str, str]
) -> None:
    answer = await api.post(PATH, device.subscription | wrong, as_=library.patron("p"))
    assert _code(answer) == (422, "bad-subscription")
    assert await listed(api) == []


async def test_a_push_service_inside_the_network_is_not_connected_to(
    settings: Settings, service: Receiver
) -> None:
    strict = settings.model_copy(update={"simulation": False})
    async with served(create_app, strict) as api:
        await add(api, Device(f"https://localhost:{service.port}/push/1"))
        await tell(api, 1)
        assert await send(api) == 1
        assert await states(api) == [("waiting", "not-allowed", None)]
    assert service.requests == []


async def test_without_keys_nothing_is_offered_or_sent(settings: Settings, device: Device) -> None:
    off = settings.model_copy(update={"vapid_private_key": ""})
    async with served(create_app, off) as api:
        shown = (await api.get(PATH, as_=library.patron("p"))).json()
        assert shown == {"items": [], "key": None}
        answer = await api.post(PATH, device.subscription, as_=library.patron("p"))
        assert _code(answer) == (409, "push-off")
        assert await send(api) == 0


async def test_a_patron_can_download_which_devices_are_kept_but_no_key(
    api: Api, device: Device
) -> None:
    await add(api, device)
    await tell(api, 1)
    answer = await api.get("/v1/personal-data/p", as_=token("gateway", ["service"]))
    assert answer.status == 200, answer.body
    kept = answer.json()
    [shown] = kept["push_subscriptions"]
    assert shown["name"] == "Firefox, Android"
    assert device.subscription["auth"] not in answer.body.decode()
    assert len(kept["push_messages"]) == 1


@pytest.mark.parametrize("wrong", [{"vapid_private_key": "short"}, {"vapid_subject": "me"}])
def test_keys_and_the_address_of_the_operator_need_the_right_form(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"(?i){next(iter(wrong))}"):
        Settings.model_validate(VAPID | wrong)


def test_push_services_need_the_address_of_the_operator_or_of_the_page() -> None:
    keys = {"vapid_private_key": VAPID["vapid_private_key"]}
    assert vapid_of(Settings.model_validate(keys)) is None
    for url, reached in (("http://127.0.0.1:80", None), ("https://a.example", "https://a.example")):
        vapid = vapid_of(Settings.model_validate({**keys, "public_url": url}))
        assert (vapid and vapid.subject) == reached


def _code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]
