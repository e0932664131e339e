"""Postal addresses: entered by staff, seen by their patron, given to the service of letters."""

from typing import Any

import pytest

from tests.accounts.people import MEI, STAFF, events, registered
from tests.support import Api, token

NOTICES = token("notices", ["service"])
HOME = {
    "lines": ["Flat 12A, Tower 3, Harbour Court", "紅磡漆咸道北18號"],
    "locality": "Hung Hom, Kowloon",
    "country": "",
}
MAIL = {"email": "mei@example.org", "phone": "2921 0388"}


async def asked(api: Api, *patron_ids: str) -> list[dict[str, Any]]:
    answer = await api.post("/v1/postal-addresses", {"patron_ids": patron_ids}, as_=NOTICES)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_staff_enter_an_address_that_the_patron_sees_and_no_event_has(api: Api) -> None:
    mei = await registered(api, contact={"postal_address": HOME})
    assert mei["contact"]["postal_address"] == HOME
    own = await api.get("/v1/me/contact", as_=token(mei["id"]))
    assert own.json()["postal_address"] == HOME
    [(topic, event)] = await events(api)
    assert (topic, event["by_post"]) == ("patron.registered", True)
    assert "Harbour" not in str(event)
    assert await asked(api, mei["id"], "nobody") == [
        {"patron_id": mei["id"], "name": MEI["name"], "by_email": False, "postal_address": HOME}
    ]


async def test_a_change_is_told_to_the_holder_and_a_removal_is_published(api: Api) -> None:
    mei = (await registered(api, contact={**MAIL, "postal_address": HOME}))["id"]
    path = f"/v1/patrons/{mei}"
    for address, by_post in (({**HOME, "country": "Macao"}, True), (None, False)):
        body = {"contact": {"postal_address": address}}
        answer = await api.patch(path, body, as_=STAFF)
        assert answer.json()["contact"]["postal_address"] == address
        assert (await api.patch(path, body, as_=STAFF)).status == 200  # changes nothing
        *_, (_, alert) = [one for one in await events(api) if one[0] == "alert.contact-changed"]
        assert (alert["postal"], alert["phone"], alert["by"]) == (True, False, "staff")
        assert [one["by_post"] for kind, one in await events(api) if "patron." in kind][-1] is (
            by_post
        )
    kinds = [kind for kind, _ in await events(api)]
    assert kinds.count("alert.contact-changed") == 2
    assert kinds.count("patron.updated") == 1
    assert (await asked(api, mei))[0]["postal_address"] is None


async def test_another_change_leaves_the_address_and_the_patron_cannot_change_it(api: Api) -> None:
    mei = (await registered(api, contact={**MAIL, "postal_address": HOME}))["id"]
    answer = await api.patch(f"/v1/patrons/{mei}", {"contact": {"phone": None}}, as_=STAFF)
    assert answer.json()["contact"]["postal_address"] == HOME
    own = {"email": None, "phone": None, "pin": MEI["pin"]}
    assert (await api.put("/v1/me/contact", own, as_=token(mei))).status == 200
    refused = await api.put("/v1/me/contact", {**own, "postal_address": HOME}, as_=token(mei))
    assert refused.status == 422
    assert (await asked(api, mei))[0]["postal_address"] == HOME


async def test_it_says_whom_e_mails_reach_by_their_choice(api: Api) -> None:
    mei = (await registered(api, contact={**MAIL, "postal_address": HOME}))["id"]
    assert (await asked(api, mei))[0]["by_email"] is False
    await api.patch("/v1/me/preferences", {"channels": ["email"]}, as_=token(mei))
    assert (await asked(api, mei))[0]["by_email"] is True


@pytest.mark.parametrize(
    "address",
    [
        {"lines": []},
        {"lines": ["  "]},
        {"lines": ["a", "b", "c", "d"]},
        {"lines": ["a" * 61]},
        {"lines": ["a\u202eb"]},
        {"lines": ["a"], "locality": "b\u200b"},
        {"lines": ["a"], "postcode": "1"},
        "Harbour Court",
    ],
)
async def test_an_address_that_no_envelope_can_show_is_refused(api: Api, address: Any) -> None:
    body = {**MEI, "contact": {"postal_address": address}}
    answer = await api.post("/v1/patrons", body, as_=STAFF)
    assert answer.status == 422
    assert "Harbour" not in str(answer.body)


async def test_an_erased_patron_has_no_address(api: Api) -> None:
    mei = (await registered(api, contact={"postal_address": HOME}))["id"]
    await api.app.state.database.cardholders.delete_one({"_id": mei})
    assert await asked(api, mei) == []
