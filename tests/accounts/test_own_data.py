"""A patron's own addresses and PIN, changed by the patron and confirmed with the PIN."""

import asyncio
from typing import Any

import pytest

from services.accounts.sign_in.rules import MOST_ATTEMPTS
from tests.accounts.people import MEI, STAFF, logged_in, registered
from tests.addresses import NO_ADDRESSES
from tests.support import Api, token

CONTACT, PIN = "/v1/me/contact", "/v1/me/pin"
NEW = {"email": "mei.ling@example.org", "phone": None}
ON_FILE = {
    "email": "mei@example.org",
    "phone": "2921 0388",
    "new_email": None,
    "postal_address": None,
}


async def test_a_patron_replaces_their_addresses(api: Api) -> None:
    """A new e-mail address waits for its code: see test_alerts.py."""
    mei = await registered(api)
    as_ = token(mei["id"])
    assert (await api.get(CONTACT, as_=as_)).json() == ON_FILE
    answer = await api.put(CONTACT, NEW | {"pin": MEI["pin"]}, as_=as_)
    waits = ON_FILE | {"phone": None, "new_email": NEW["email"]}
    assert (answer.status, answer.json()) == (200, waits)
    assert (await api.get(CONTACT, as_=as_)).json() == waits
    assert (await api.get(f"/v1/patrons/{mei['id']}", as_=STAFF)).json()["contact"] == waits
    # A channel needs an address, and events carry none.
    preferences = (await api.get("/v1/me/preferences", as_=as_)).json()
    assert preferences["reachable_by"] == ["email"]


async def test_a_patron_replaces_their_pin_and_logs_in_with_it(api: Api) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    answer = await api.put(PIN, {"pin": MEI["pin"], "new_pin": "31-41-59"}, as_=as_)
    assert answer.status == 204
    assert await logged_in(api, pin="31-41-59")
    old = await api.post("/v1/sessions", {"card_number": "HK0001A", "pin": MEI["pin"]})
    assert old.status == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [(CONTACT, NEW), (PIN, {"new_pin": "31-41-59"})],
    ids=["addresses", "PIN"],
)
async def test_wrong_pins_change_nothing_and_lock_such_changes_but_not_the_log_in(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    for _ in range(MOST_ATTEMPTS):
        refused = await api.put(path, body | {"pin": "00-00-00"}, as_=as_)
        assert (refused.status, refused.json()["code"]) == (403, "wrong-pin")
    locked = await api.put(path, body | {"pin": MEI["pin"]}, as_=as_)
    assert (locked.status, locked.json()["code"]) == (429, "locked")
    login = await api.post("/v1/sessions", {"card_number": "HK0001A", "pin": MEI["pin"]})
    assert login.status == 200
    assert (await api.get(CONTACT, as_=as_)).json() == ON_FILE


async def test_an_unacceptable_pin_or_address_is_refused(api: Api) -> None:
    as_ = token((await registered(api))["id"])
    for path, body in [
        (PIN, {"pin": MEI["pin"], "new_pin": "12345"}),
        (PIN, {"pin": MEI["pin"], "new_pin": "1" * 65}),
        (PIN, {"pin": "", "new_pin": "31-41-59"}),
        (CONTACT, {"pin": MEI["pin"], "phone": "call me"}),
        (CONTACT, NEW),
    ]:
        answer = await api.put(path, body, as_=as_)
        assert (answer.status, answer.json()["code"]) == (422, "malformed"), body
        assert str(MEI["pin"]) not in str(answer.body)


@pytest.mark.parametrize("address", NO_ADDRESSES)
async def test_a_text_that_is_no_address_is_refused_for_its_field_wherever_it_is_entered(
    api: Api, address: str
) -> None:
    mei = await registered(api)
    contact = {"contact": {"email": address}}
    for answer in [
        await api.put(CONTACT, {"pin": MEI["pin"], "email": address}, as_=token(mei["id"])),
        await api.patch(f"/v1/patrons/{mei['id']}", contact, as_=STAFF),
        await api.post("/v1/patrons", MEI | contact | {"card_number": "HK0002"}, as_=STAFF),
    ]:
        assert (answer.status, answer.json()["code"]) == (422, "malformed")
        assert answer.json()["errors"][0]["field"].endswith("email")


async def test_one_of_two_pins_chosen_at_once_is_kept(api: Api, other_replica: Api) -> None:
    mei = await registered(api)
    replicas = [(api, token(mei["id"])), (other_replica, await logged_in(api))]
    chosen = ["31-41-59", "26-53-58"]
    answers = await asyncio.gather(
        *(
            replica.put(PIN, {"pin": MEI["pin"], "new_pin": pin}, as_=as_)
            for (replica, as_), pin in zip(replicas, chosen, strict=True)
        )
    )
    assert sorted(answer.status for answer in answers) == [204, 403]
    [kept] = [pin for pin, answer in zip(chosen, answers, strict=True) if answer.status == 204]
    assert await logged_in(api, pin=kept)
    assert (await api.get(f"/v1/patrons/{mei['id']}", as_=STAFF)).json()["version"] == 1


@pytest.mark.usefixtures("lending")
async def test_an_erased_patron_has_no_addresses(api: Api) -> None:
    mei = await registered(api)
    as_ = token(mei["id"])
    await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)
    for answer in [
        await api.get(CONTACT, as_=as_),
        await api.put(CONTACT, NEW | {"pin": MEI["pin"]}, as_=as_),
        await api.put(PIN, {"pin": MEI["pin"], "new_pin": "31-41-59"}, as_=as_),
    ]:
        assert (answer.status, answer.json()["code"]) == (404, "no-such-patron")
