"""Patrons: registration, changes, blocks, erasure, and the rights of each role."""

import asyncio
import re
from typing import Any

import pytest

from services.accounts.settings import Settings
from shared.ids import card_digest
from tests.accounts.people import MEI, SERVICE, STAFF, STATION, events, logged_in, registered
from tests.support import OPS, Api, token

REASON = {"reason": "returned a book in pieces"}


def topics(told: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [topic for topic, _ in told]


async def test_a_patron_is_registered_with_a_normalised_card_and_an_event(
    api: Api, settings: Settings
) -> None:
    mei = await registered(api)
    assert mei["card_number"] == "HK0001A"
    assert mei["name"] == "Chan Mei-ling"
    expected = {"email": "mei@example.org", "phone": "2921 0388", "new_email": None}
    assert mei["contact"] == expected | {"postal_address": None}
    assert (mei["status"], mei["version"]) == ("active", 1)
    assert await events(api) == [
        (
            "patron.registered",
            {
                "patron_id": mei["id"],
                "category": "adult",
                "home_branch": "KPL",
                "language": "zh-Hant",
                "status": "active",
                "blocked_by": [],
                "card_digest": "",
                "by_post": False,
                "card_expires_on": None,
                "version": 1,
            },
        )
    ]


async def test_concurrent_registrations_of_one_card_create_one_patron(
    api: Api, other_replica: Api
) -> None:
    other_replica.app.state.verifier = api.app.state.verifier
    answers = await asyncio.gather(
        *(
            replica.insist(
                "POST", "/v1/patrons", {**MEI, "card_number": card}, within=200, as_=STAFF
            )
            for replica in (api, other_replica)
            for card in ["HK0001A", "hk0001a "] * 12 + ["Hk0001a"]
        )
    )
    assert len(answers) == 50
    assert sorted(answer.status for answer in answers) == [201] + [409] * 49
    assert {answer.json()["code"] for answer in answers if answer.status == 409} == {"card-taken"}
    assert topics(await events(api)) == ["patron.registered"]


async def test_a_staff_card_cannot_be_given_to_anyone_else(api: Api) -> None:
    account = {"card_number": "HK0001A", "name": "Lee", "role": "staff", "email": "lee@example.org"}
    assert (await api.post("/v1/staff", account, as_=OPS)).status == 201
    for path, body, as_ in (("/v1/patrons", MEI, STAFF), ("/v1/staff", account, OPS)):
        answer = await api.post(path, body, as_=as_)
        assert (answer.status, answer.json()["code"]) == (409, "card-taken"), path


async def test_a_repeated_registration_creates_one_patron_and_gets_the_same_response(
    api: Api,
) -> None:
    first = await api.post("/v1/patrons", MEI, as_=STAFF, key="k")
    second = await api.post("/v1/patrons", MEI, as_=STAFF, key="k")
    assert (first.status, second.status) == (201, 201)
    assert first.json() == second.json()
    other = await api.post("/v1/patrons", {**MEI, "pin": "31-41-59"}, as_=STAFF, key="k")
    assert (other.status, other.json()["code"]) == (409, "idempotency-key-reused")
    assert topics(await events(api)) == ["patron.registered"]


@pytest.mark.parametrize(
    "change",
    [
        {"nickname": "Mei"},
        {"contact": {"fax": "1"}},
        {"pin": "12345"},
        {"pin": "1" * 65},
        {"pin": "123\t456"},
        {"pin": 271828},
        {"card_number": "  "},
        {"card_number": "卡片一二三"},
        {"name": " "},
        {"name": "\ud800"},
        {"category": "Adult"},
        {"home_branch": "K P L"},
        {"language": "fr"},
        {"contact": {"email": "mei"}},
        {"contact": {"phone": "call me"}},
    ],
    ids=str,
)
async def test_a_malformed_field_is_422_without_repeating_the_input(
    api: Api, change: dict[str, Any]
) -> None:
    answer = await api.post("/v1/patrons", {**MEI, **change}, as_=STAFF)
    assert answer.status == 422
    assert not re.search("27-18-28|Chan|2921 0388|mei@|call me|hk0001a", answer.body.decode())


# ---- access -------------------------------------------------------------------------------------


async def test_staff_find_a_patron_by_card(api: Api) -> None:
    mei = await registered(api)
    answer = await api.get("/v1/patrons?card=%20hk0001a", as_=STAFF)
    assert answer.json() == {"items": [mei], "next": None}
    assert (await api.get("/v1/patrons?card=HK0002", as_=STAFF)).json()["items"] == []


@pytest.mark.parametrize("as_", [STATION, SERVICE], ids=["station", "service"])
async def test_stations_and_services_get_no_personal_details(
    api: Api, settings: Settings, as_: str
) -> None:
    mei = await registered(api)
    reference = {
        "id": mei["id"],
        "category": "adult",
        "home_branch": "KPL",
        "language": "zh-Hant",
        "status": "active",
        "blocked_by": [],
        "card_digest": card_digest("HK0001A", settings.card_key),
        "version": 1,
        "card_expires_on": None,
    }
    answer = await api.get("/v1/patrons?card=HK0001A", as_=as_)
    assert answer.json() == {"items": [reference], "next": None}
    one = await api.get(f"/v1/patrons/{mei['id']}", as_=as_)
    if as_ == SERVICE:
        assert one.json() == reference
    else:
        assert one.status == 403


async def test_a_patron_sees_their_own_record_and_no_others(api: Api) -> None:
    mei = await registered(api)
    other = await registered(api, card_number="HK0002B", name="Wong Ka-ho")
    own = await api.get(f"/v1/patrons/{mei['id']}", as_=token(mei["id"]))
    assert own.json() == mei
    for id_ in (other["id"], "none"):
        answer = await api.get(f"/v1/patrons/{id_}", as_=token(mei["id"]))
        assert (answer.status, answer.json()["code"]) == (404, "no-such-patron")


ROUTES: list[tuple[str, str, Any, set[str]]] = [
    ("POST", "/v1/patrons", MEI, {"staff"}),
    ("GET", "/v1/patrons?card=HK0001A", None, {"staff", "station", "service"}),
    ("PATCH", "/v1/patrons/x", {"name": "A"}, {"staff"}),
    ("DELETE", "/v1/patrons/x", None, {"staff"}),
    ("POST", "/v1/patrons/x/block", REASON, {"staff"}),
    ("POST", "/v1/patrons/x/unblock", REASON, {"staff"}),
    (
        "POST",
        "/v1/staff",
        {"card_number": "S-1", "name": "A", "role": "staff", "email": "lee@example.org"},
        {"admin", "ops"},
    ),
    ("GET", "/v1/staff", None, {"admin", "ops"}),
    ("GET", "/v1/staff/x", None, {"admin", "ops"}),
    ("POST", "/v1/staff/x/disable", None, {"admin", "ops"}),
    ("POST", "/v1/staff/x/enable", None, {"admin", "ops"}),
    ("PUT", "/v1/staff/x/role", {"role": "staff"}, {"admin", "ops"}),
    ("PUT", "/v1/staff/x/pin", {"pin": "27-18-28"}, {"admin", "ops"}),
    ("DELETE", "/v1/staff/x/second-factor", None, {"admin", "ops"}),
    ("POST", "/v1/ops/keys/rotate", None, {"ops"}),
    ("POST", "/v1/ops/keys/revoke", None, {"ops"}),
    ("POST", "/v1/staff-removals", {"card_number": "S-1"}, {"admin", "ops"}),
    ("GET", "/v1/me/preferences", None, {"patron"}),
    ("PATCH", "/v1/me/preferences", {}, {"patron"}),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"),
    ROUTES,
    ids=[f"{method} {path}" for method, path, *_ in ROUTES],
)
async def test_each_route_accepts_only_its_roles(
    api: Api, method: str, path: str, body: Any, allowed: set[str]
) -> None:
    assert (await api.call(method, path, body)).status == 401
    for role in ("patron", "staff", "station", "tracer", "admin", "ops", "service"):
        name = "circulation" if role == "service" else "someone"
        answer = await api.call(method, path, body, as_=token(name, [role]))
        assert (answer.status == 403) == (role not in allowed), (role, answer.status)
        assert answer.status != 401


# ---- changes ------------------------------------------------------------------------------------


async def test_a_change_of_a_patrons_shared_fields_is_published(
    api: Api, settings: Settings
) -> None:
    mei = await registered(api)
    changes = {"category": "junior", "home_branch": "STPL", "language": "en", "card_number": "hk9"}
    answer = await api.patch(f"/v1/patrons/{mei['id']}", changes, as_=STAFF)
    assert answer.json() == {**mei, **changes, "card_number": "HK9", "version": 2}
    topic, told = (await events(api))[-1]
    assert topic == "patron.updated"
    assert told["card_digest"] == ""
    assert (told["category"], told["home_branch"], told["version"]) == ("junior", "STPL", 2)
    assert (await api.get("/v1/patrons?card=HK0001A", as_=STAFF)).json()["items"] == []


async def test_a_name_contact_or_pin_changes_without_an_event_of_the_patron(api: Api) -> None:
    mei = await registered(api)
    changes = {"name": "Chan May", "contact": {"phone": "3000 0000"}, "pin": "31-41-59"}
    answer = await api.patch(f"/v1/patrons/{mei['id']}", changes, as_=STAFF)
    assert answer.json() == {
        **mei,
        "name": "Chan May",
        "contact": {**mei["contact"], "phone": "3000 0000"},
    }
    same = {"category": "adult", "language": "zh-Hant", "card_number": "hk0001a"}
    assert (await api.patch(f"/v1/patrons/{mei['id']}", same, as_=STAFF)).json()["version"] == 1
    told = topics(await events(api))
    assert [topic for topic in told if topic.startswith("patron.")] == ["patron.registered"]
    await logged_in(api, pin="31-41-59")


async def test_null_removes_an_address_or_a_date_of_birth_and_what_is_absent_stays(
    api: Api,
) -> None:
    mei = await registered(api, born_on="2012-03-04")
    path, number = f"/v1/patrons/{mei['id']}", {**mei["contact"], "email": None}
    for changes, expected in (
        ({"contact": {"email": None}}, {**mei, "contact": number}),
        ({"contact": None, "name": None, "language": None}, {**mei, "contact": number}),
        ({"contact": {}, "born_on": None}, {**mei, "contact": number, "born_on": None}),
    ):
        assert (await api.patch(path, changes, as_=STAFF)).json() == expected
        assert (await api.get(path, as_=STAFF)).json() == expected


async def test_concurrent_changes_are_all_stored(api: Api) -> None:
    mei = await registered(api)
    changes = [{"category": "junior"}, {"home_branch": "STPL"}, {"language": "en"}, {"name": "May"}]
    answers = await asyncio.gather(
        *(api.patch(f"/v1/patrons/{mei['id']}", change, as_=STAFF) for change in changes)
    )
    assert {answer.status for answer in answers} == {200}
    after = (await api.get(f"/v1/patrons/{mei['id']}", as_=STAFF)).json()
    assert {key: after[key] for change in changes for key in change} == {
        key: value for change in changes for key, value in change.items()
    }
    assert sorted(told["version"] for _, told in await events(api)) == [1, 2, 3, 4]


async def test_a_patron_cannot_change_to_the_card_of_another(api: Api) -> None:
    await registered(api)
    other = await registered(api, card_number="HK0002B")
    answer = await api.patch(f"/v1/patrons/{other['id']}", {"card_number": "HK0001A"}, as_=STAFF)
    assert (answer.status, answer.json()["code"]) == (409, "card-taken")


async def test_an_unknown_patron_is_not_found(api: Api) -> None:
    for method, path, body in (
        ("PATCH", "", {"name": "A"}),
        ("DELETE", "", None),
        ("POST", "/block", REASON),
        ("POST", "/unblock", REASON),
        ("GET", "", None),
    ):
        answer = await api.call(method, f"/v1/patrons/none{path}", body, as_=STAFF)
        assert (answer.status, answer.json()["code"]) == (404, "no-such-patron")


# ---- blocks -------------------------------------------------------------------------------------


async def test_a_block_is_published_and_does_not_lock_the_patron_out(api: Api) -> None:
    mei = await registered(api)
    path = f"/v1/patrons/{mei['id']}"
    not_blocked = await api.post(f"{path}/unblock", REASON, as_=STAFF)
    assert (not_blocked.status, not_blocked.json()["code"]) == (409, "not-blocked")
    blocked = (await api.post(f"{path}/block", REASON, as_=STAFF)).json()
    assert (blocked["status"], blocked["version"]) == ("blocked", 2)
    assert blocked["status_reason"] == REASON["reason"]
    again = await api.post(f"{path}/block", {"reason": "another"}, as_=STAFF)
    assert (again.status, again.json()["code"]) == (409, "already-blocked")
    assert (await api.get(path, as_=STAFF)).json()["status_reason"] == REASON["reason"]
    await logged_in(api)
    unblocked = (await api.post(f"{path}/unblock", {"reason": "paid"}, as_=STAFF)).json()
    assert (unblocked["status"], unblocked["version"]) == ("active", 3)
    told = await events(api)
    assert topics(told) == ["patron.registered", "patron.blocked", "patron.unblocked"]
    assert [event["status"] for _, event in told] == ["active", "blocked", "active"]


async def test_concurrent_blocks_of_a_patron_succeed_once(api: Api) -> None:
    mei = await registered(api)
    answers = await asyncio.gather(
        *(api.post(f"/v1/patrons/{mei['id']}/block", REASON, as_=STAFF) for _ in range(20))
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * 19
    assert topics(await events(api)) == ["patron.registered", "patron.blocked"]


# ---- erasure ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("lending")
async def test_erasure_leaves_a_tombstone_without_personal_data(api: Api) -> None:
    made = await api.post("/v1/patrons", MEI, as_=STAFF, key="made")
    mei = made.json()
    path = f"/v1/patrons/{mei['id']}"
    await api.patch(path, {"name": "Chan May", "pin": "31-41-59"}, as_=STAFF, key="changed")
    await api.post(f"{path}/block", REASON, as_=STAFF, key="blocked")
    await api.post("/v1/sessions", {"card_number": "HK0001A", "pin": "wrong1"})
    erased = await api.delete(path, as_=STAFF)
    assert erased.status == 200
    assert (erased.json()["status"], erased.json()["card_digest"]) == ("erased", "")
    topic, told = (await events(api))[-1]
    assert (topic, told["status"], told["card_digest"], told["version"]) == (
        "patron.erased",
        "erased",
        "",
        3,
    )
    database = api.app.state.database
    for collection in await database.list_collection_names():
        for document in [row async for row in database[collection].find()]:
            assert not re.search("Chan M|mei@example|2921 0388|HK0001A|in pieces", str(document)), (
                collection
            )
    assert await database.patrons.count_documents({"_id": mei["id"]}) == 1
    for method, again in (("GET", path), ("DELETE", path)):
        assert (await api.call(method, again, as_=STAFF)).status == 404
    login = await api.post("/v1/sessions", {"card_number": "HK0001A", "pin": "31-41-59"})
    assert (login.status, login.json()["code"]) == (401, "bad-credentials")
    # The card number may be given to another patron.
    assert (await registered(api))["id"] != mei["id"]


@pytest.mark.usefixtures("lending")
async def test_an_erased_patron_with_a_valid_token_has_no_preferences(api: Api) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)
    for answer in (
        await api.get("/v1/me/preferences", as_=as_),
        await api.patch("/v1/me/preferences", {"keep_history": True}, as_=as_),
    ):
        assert (answer.status, answer.json()["code"]) == (404, "no-such-patron")


@pytest.mark.usefixtures("lending")
async def test_changes_during_an_erasure_leave_no_personal_data(api: Api) -> None:
    for round_ in range(5):
        mei = await registered(api, card_number=f"HK-{round_}")
        path = f"/v1/patrons/{mei['id']}"
        await asyncio.gather(
            *(
                api.patch("/v1/me/preferences", {"activity_types": [kind]}, as_=token(mei["id"]))
                for kind in ("talk", "workshop")
            ),
            api.patch(path, {"name": "Chan May"}, as_=STAFF),
            api.patch(path, {"category": "junior"}, as_=STAFF),
            api.post(f"{path}/block", REASON, as_=STAFF),
            api.delete(path, as_=STAFF),
        )
        database = api.app.state.database
        assert (await database.patrons.find_one({"_id": mei["id"]}))["status"] == "erased"
        assert await database.cardholders.count_documents({}) == 0
        assert await database.preferences.count_documents({}) == 0
        told = [event for topic, event in await events(api) if event.get("patron_id") == mei["id"]]
        patrons = [event for event in told if "status" in event]
        assert [event["version"] for event in patrons] == list(range(1, len(patrons) + 1))
        assert patrons[-1]["status"] == "erased"


# ---- published events ---------------------------------------------------------------------------


@pytest.mark.usefixtures("lending")
async def test_no_personal_detail_is_in_an_event_or_a_log(
    api: Api, capfd: pytest.CaptureFixture[str]
) -> None:
    mei = await registered(api)
    path = f"/v1/patrons/{mei['id']}"
    await api.patch(
        path, {"name": "Chan May", "card_number": "HK0003C", "pin": "31-41-59"}, as_=STAFF
    )
    await api.post(f"{path}/block", REASON, as_=STAFF)
    await api.post(f"{path}/unblock", REASON, as_=STAFF)
    as_ = await logged_in(api, "HK0003C", "31-41-59")
    await api.post("/v1/sessions", {"card_number": "HK0003C", "pin": "xx-wrong"})
    await api.patch("/v1/me/preferences", {"followed_branches": ["KPL"]}, as_=token(mei["id"]))
    await api.post("/v1/patrons", {**MEI, "card_number": "HK0003C"}, as_=STAFF)
    await api.delete(path, as_=STAFF)
    rows = [row async for row in api.app.state.database.outbox.find()]
    assert topics(await events(api)) == [
        "patron.registered",
        "alert.pin-changed",
        "alert.card-replaced",
        "patron.updated",
        "patron.blocked",
        "patron.unblocked",
        "preferences.changed",
        "session.ended",
        "patron.erased",
    ]
    said = "".join(str((row["headers"], row["body"], row["key"])) for row in rows)
    logs = "".join(capfd.readouterr())
    for text in (said, logs):
        assert not re.search(
            "Chan M|27-18-28|31-41-59|xx-wrong|mei@example|2921 0388|HK000|argon2|in pieces",
            text,
            re.IGNORECASE,
        )
    assert as_ not in logs
