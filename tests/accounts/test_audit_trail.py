"""The audit trail of accounts: commands, looks and log-ins, with ids only."""

from typing import Any

from bson import json_util

from services.accounts.pins.rules import code_of
from services.accounts.sign_in.rules import MOST_RECORDED_OF_CARD, MOST_RECORDED_OF_NETWORK
from shared.http.client_address import HEADER, client_header
from shared.mongo import Database
from tests.accounts.people import MEI, SERVICE, STAFF, STATION, hired, registered
from tests.circulation.desk import Desk
from tests.support import OPS, Answer, Api, token

FROM = "203.0.113.77"


async def entries(api: Api, **query: Any) -> list[dict[str, Any]]:
    database: Database = api.app.state.database
    return [one async for one in database.audit_trail.find(query).sort("_id", 1)]


async def of(api: Api, answer: Answer) -> list[tuple[str, list[str], str, list[str]]]:
    """Return who did what and about what in one request, by its trail."""
    found = await entries(api, correlation_id=answer.headers["x-request-id"])
    return [(one["by"], one["roles"], one["act"], one["objects"]) for one in found]


async def test_a_command_is_recorded_with_its_actor_and_object(api: Api) -> None:
    secret = api.app.state.settings.service_secret
    came = {"X-Request-Id": "request-7", HEADER: client_header(FROM, secret, whole=False)}
    answer = await api.post("/v1/patrons", MEI, as_=STAFF, headers=came)
    patron = answer.json()["id"]
    assert await of(api, answer) == [("staff-1", ["staff"], "POST /v1/patrons", [patron])]
    [entry] = await entries(api)
    assert (entry["correlation_id"], entry["address"]) == ("request-7", "203.0.113.0/24")

    answer = await api.post(f"/v1/patrons/{patron}/block", {"reason": "Card found"}, as_=STAFF)
    block = "POST /v1/patrons/{patron_id}/block"
    assert await of(api, answer) == [("staff-1", ["staff"], block, [patron])]


async def test_a_refused_command_leaves_no_entry(api: Api) -> None:
    await registered(api)
    answer = await api.post("/v1/patrons", MEI, as_=STAFF)
    assert answer.status == 409
    assert await of(api, answer) == []


async def test_other_commands_of_patrons_are_not_recorded(api: Api) -> None:
    patron = (await registered(api))["id"]
    mei = token(patron)
    answer = await api.patch("/v1/me/preferences", {"language": "en"}, as_=mei)
    assert answer.status == 200, answer.body
    assert await of(api, answer) == []
    seen = await api.get(f"/v1/patrons/{patron}", as_=mei)
    assert await of(api, seen) == []


async def test_each_look_at_a_patron_is_recorded(api: Api) -> None:
    patron = (await registered(api))["id"]
    seen = await api.get(f"/v1/patrons/{patron}", as_=STAFF)
    look = "GET /v1/patrons/{patron_id}"
    assert await of(api, seen) == [("staff-1", ["staff"], look, [patron])]

    for as_, who, role in ((STAFF, "staff-1", "staff"), (STATION, "station-1", "station")):
        by_card = await api.get("/v1/patrons?card=HK0001A", as_=as_)
        assert await of(api, by_card) == [(who, [role], "GET /v1/patrons", [patron])]

    nobody = await api.get("/v1/patrons?card=HK9999Z", as_=STAFF)
    assert await of(api, nobody) == [("staff-1", ["staff"], "GET /v1/patrons", [])]
    unknown = await api.get("/v1/patrons/nobody", as_=STAFF)
    assert (unknown.status, await of(api, unknown)) == (404, [])
    typed = await api.get("/v1/patrons?card=HK9999Z&patron=Chan", as_=STAFF)
    assert await of(api, typed) == [("staff-1", ["staff"], "GET /v1/patrons", [])]
    by_service = await api.get(f"/v1/patrons/{patron}", as_=SERVICE)
    assert (by_service.status, await of(api, by_service)) == (200, [])


async def test_a_look_that_cannot_be_recorded_shows_nothing(api: Api) -> None:
    patron = (await registered(api))["id"]
    await api.app.state.database.command(
        {"collMod": "audit_trail", "validator": {"never": "true"}, "validationLevel": "strict"}
    )
    try:
        answer = await api.get(f"/v1/patrons/{patron}", as_=STAFF)
    finally:
        await api.app.state.database.command({"collMod": "audit_trail", "validator": {}})
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert str(MEI["name"]) not in answer.body.decode()


async def test_failed_log_ins_are_recorded(api: Api) -> None:
    patron = (await registered(api))["id"]
    came = {HEADER: client_header(FROM, api.app.state.settings.service_secret, whole=True)}
    wrong = {"card_number": "HK0001A", "pin": "000000"}
    answer = await api.post("/v1/sessions", wrong, headers=came)
    failed = "POST /v1/sessions (bad-credentials)"
    assert answer.status == 401
    assert await of(api, answer) == [(patron, ["patron"], failed, [])]
    assert (await entries(api, act=failed))[0]["address"] == "203.0.113.0/24"
    unknown = {**wrong, "card_number": "HK9999Z"}
    nobody = await api.post("/v1/sessions", unknown)  # from another network
    assert await of(api, nobody) == [("", [], failed, [])]
    for _ in range(10):
        locked = await api.post("/v1/sessions", wrong, headers=came)
    assert await of(api, locked) == [(patron, ["patron"], "POST /v1/sessions (locked)", [])]


async def test_log_ins_are_recorded(api: Api) -> None:
    card = {"card_number": "LIB-7", "pin": "271828"}
    staff = await hired(api, "staff", "LIB-7", "271828")
    answer = await api.post("/v1/sessions", card)
    [entry] = await of(api, answer)
    assert entry[:3] == (staff, ["staff"], "POST /v1/sessions")

    patron = (await registered(api))["id"]
    secret = api.app.state.settings.service_secret
    answer = await api.post(
        "/v1/sessions",
        {"card_number": "HK0001A", "pin": MEI["pin"]},
        headers={HEADER: client_header(FROM, secret, whole=True)},
    )
    assert await of(api, answer) == [(patron, ["patron"], "POST /v1/sessions", [])]
    assert (await entries(api, by=patron))[0]["address"] == "203.0.113.0/24"


async def test_new_pins_and_addresses_of_patrons_are_recorded(api: Api) -> None:
    patron = (await registered(api))["id"]
    mei = token(patron)
    right, wrong = str(MEI["pin"]), "00-00-00"
    for path, body in (
        ("/v1/me/contact", {"email": "ling@example.org"}),
        ("/v1/me/pin", {"new_pin": "31-41-59"}),
    ):
        refused = await api.put(path, body | {"pin": wrong}, as_=mei)
        act = f"PUT {path}"
        assert await of(api, refused) == [(patron, ["patron"], f"{act} (wrong-pin)", [])]
        done = await api.put(path, body | {"pin": right}, as_=mei)
        assert done.status < 300, done.body
        [(by, roles, what, _)] = await of(api, done)
        assert (by, roles, what) == (patron, ["patron"], act)
    trail = json_util.dumps(await entries(api), ensure_ascii=False)
    told = ("HK0001A", "mei@example.org", "ling@example.org", right, "31-41-59", wrong)
    assert [one for one in told if one in trail] == []


async def test_codes_for_a_new_pin_and_their_use_are_recorded(api: Api) -> None:
    patron = (await registered(api))["id"]
    ask, enter = "POST /v1/pin-resets", "PUT /v1/pin-resets/{reset_id}"
    asked = await api.post("/v1/pin-resets", {"card_number": "HK0001A"})
    assert await of(api, asked) == [(patron, ["patron"], ask, [])]
    unknown = await api.post("/v1/pin-resets", {"card_number": "HK9999Z"})
    assert await of(api, unknown) == [("", [], ask, [])]
    for _ in range(5):
        refused = await api.post("/v1/pin-resets", {"card_number": "HK0001A"})
    assert await of(api, refused) == [(patron, ["patron"], f"{ask} (too-many-resets)", [])]

    await api.job("accounts/pin-resets")
    reset = asked.json()["id"]
    path = f"/v1/pin-resets/{reset}"
    guess = await api.put(path, {"reset_code": "1", "new_pin": "31-41-59"})
    assert await of(api, guess) == [(patron, ["patron"], f"{enter} (wrong-reset-code)", [])]
    nothing = await api.put("/v1/pin-resets/x", {"reset_code": "1", "new_pin": "31-41-59"})
    assert await of(api, nothing) == [("", [], f"{enter} (wrong-reset-code)", [])]
    code = code_of(reset, api.app.state.settings.reset_keys)
    used = await api.put(path, {"reset_code": code, "new_pin": "31-41-59"})
    assert used.status == 204, used.body
    assert await of(api, used) == [(patron, ["patron"], enter, [reset, patron])]
    assert str(code) not in json_util.dumps(await entries(api))


async def test_a_flood_of_wrong_pins_does_not_fill_the_trail(api: Api) -> None:
    await registered(api)
    secret = api.app.state.settings.service_secret
    limits = (MOST_RECORDED_OF_CARD, MOST_RECORDED_OF_NETWORK)
    for most, numbers in zip(limits, (["HK0001A"], [f"HK9{n:03}" for n in range(10)]), strict=True):
        network = f"198.51.{most}.7"
        came = {HEADER: client_header(network, secret, whole=True)}
        bodies = [{"card_number": number, "pin": "000000"} for number in numbers]
        for body in bodies * (most // len(bodies) + 3):
            answer = await api.post("/v1/sessions", body, headers=came)
            assert answer.status in (401, 429)
        assert len(await entries(api, address=f"198.51.{most}.0/24")) == most
    # Others are still recorded.
    elsewhere = await api.post("/v1/sessions", {"card_number": "HK0001A", "pin": "000000"})
    assert len(await of(api, elsewhere)) == 1


async def test_entries_about_an_erased_patron_hold_ids_only(api: Api, lending: Desk) -> None:
    patron = (await registered(api))["id"]
    await lending.patron(patron)
    await api.get("/v1/patrons?card=HK0001A", as_=STAFF)
    await api.patch(f"/v1/patrons/{patron}", {"name": "Chan Mei-yan"}, as_=STAFF)
    await api.post("/v1/sessions", {"card_number": "HK0001A", "pin": "000000"})
    erased = await api.delete(f"/v1/patrons/{patron}", as_=STAFF)
    assert erased.status == 200, erased.body
    erasure = "DELETE /v1/patrons/{patron_id}"
    assert await of(api, erased) == [("staff-1", ["staff"], erasure, [patron])]

    trail = json_util.dumps(await entries(api), ensure_ascii=False)
    assert trail.count(patron) >= 5
    told = ("HK0001A", "hk0001a", "Chan", "mei@example.org", "2921 0388", "27-18-28")
    assert [one for one in told if one in trail] == []


async def test_the_command_of_a_service_is_recorded_where_it_acts(api: Api, lending: Desk) -> None:
    """An erasure lets accounts close the borrowing of the patron in circulation."""
    patron = (await registered(api))["id"]
    await lending.patron(patron)
    erased = await api.delete(f"/v1/patrons/{patron}", as_=STAFF)
    assert erased.status == 200, erased.body
    trail = lending.api.app.state.database.audit_trail
    [entry] = [one async for one in trail.find({"roles": "service"})]
    closing = "POST /v1/borrowers/{patron_id}/closing"
    assert (entry["by"], entry["act"], entry["objects"]) == ("accounts", closing, [patron])
    assert entry["correlation_id"] == erased.headers["x-request-id"]


async def test_operators_read_the_trail_and_are_recorded(api: Api) -> None:
    patron = (await registered(api))["id"]
    await api.get(f"/v1/patrons/{patron}", as_=STAFF)
    await api.post(f"/v1/patrons/{patron}/block", {"reason": "Card found"}, as_=STAFF)
    path = "/v1/ops/audit-trail/accounts"
    answer = await api.get(f"{path}?about={patron}", as_=OPS)
    acts = [one["act"] for one in answer.json()["items"]]
    assert acts == [
        "POST /v1/patrons/{patron_id}/block",
        "GET /v1/patrons/{patron_id}",
        "POST /v1/patrons",
    ]
    assert await of(api, answer) == [("ops-1", ["ops"], f"GET {path}", [])]

    first = (await api.get(f"{path}?by=staff-1&limit=2", as_=OPS)).json()
    rest = (await api.get(f"{path}?by=staff-1&limit=2&after={first['next']}", as_=OPS)).json()
    assert [one["act"] for one in [*first["items"], *rest["items"]]] == acts
    assert rest["next"] is None
    later = await api.get(f"{path}?since=2100-01-01T00:00:00Z", as_=OPS)
    assert later.json()["items"] == []
    for other in (STAFF, STATION, SERVICE, token(patron)):
        assert (await api.get(path, as_=other)).status == 403
