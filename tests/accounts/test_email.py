"""The e-mail address for one message, and the link in it that turns e-mail off."""

from typing import Any

import pytest

from tests.accounts.people import SERVICE, STAFF, STATION, events, registered
from tests.support import OPS, Api, token

NOTICES = token("notices", ["service"])
CHANNELS = "/v1/me/preferences"


async def reachable(api: Api) -> dict[str, Any]:
    """Register Mei, who chooses e-mail and follows a library."""
    mei = await registered(api)
    chosen = {"channels": ["email"], "followed_branches": ["KPL"]}
    answer = await api.patch(CHANNELS, chosen, as_=token(mei["id"]))
    assert answer.status == 200
    return mei


async def email(api: Api, patron_id: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/email-addresses/{patron_id}", as_=NOTICES)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.usefixtures("lending")
async def test_notices_learn_the_address_of_a_patron_who_chose_email(api: Api) -> None:
    mei = await registered(api)
    assert (await email(api, mei["id"]))["address"] is None
    await api.patch(CHANNELS, {"channels": ["email"]}, as_=token(mei["id"]))
    assert (await email(api, mei["id"]))["address"] == "mei@example.org"
    await api.patch(f"/v1/patrons/{mei['id']}", {"contact": {"email": None}}, as_=STAFF)
    assert (await email(api, mei["id"]))["address"] is None
    await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)
    gone = await api.get(f"/v1/email-addresses/{mei['id']}", as_=NOTICES)
    assert (gone.status, gone.json()["code"]) == (404, "no-such-patron")


@pytest.mark.parametrize("as_", [SERVICE, STAFF, OPS, STATION, token("notices", ["patron"])])
async def test_nobody_else_learns_the_address(api: Api, as_: str) -> None:
    mei = await reachable(api)
    answer = await api.get(f"/v1/email-addresses/{mei['id']}", as_=as_)
    assert answer.status == 403
    assert b"mei@" not in answer.body


@pytest.mark.parametrize("as_", [SERVICE, NOTICES, STAFF, OPS])
async def test_only_the_gateway_reads_all_that_is_kept_of_a_patron(api: Api, as_: str) -> None:
    mei = await registered(api)
    path = f"/v1/personal-data/{mei['id']}"
    asked = await api.get(path, as_=as_)
    assert (asked.status, b"mei@" in asked.body) == (403, False)
    given = await api.get(path, as_=token("gateway", ["service"]))
    assert (given.status, b"mei@" in given.body) == (200, True)


async def test_the_link_turns_off_email_and_nothing_else(api: Api) -> None:
    mei = await reachable(api)
    link = {"token": (await email(api, mei["id"]))["unsubscribe"]}
    for _ in range(2):
        answer = await api.post("/v1/unsubscriptions", link)
        assert (answer.status, answer.json()) == (200, {"channel": "email"})
    setting = (await api.get(CHANNELS, as_=token(mei["id"]))).json()
    assert (setting["channels"], setting["followed_branches"]) == (["inbox"], ["KPL"])
    told = [event for topic, event in await events(api) if topic == "preferences.changed"]
    assert [event["channels"] for event in told] == [["email", "inbox"], ["inbox"]]


@pytest.mark.usefixtures("lending")
async def test_a_changed_link_and_one_of_an_erased_patron_change_nothing(api: Api) -> None:
    mei = await reachable(api)
    link: str = (await email(api, mei["id"]))["unsubscribe"]
    other = await registered(api, card_number="HK0002")
    digest = link.rpartition(".")[2]
    for wrong in ("x", f"{other['id']}.{digest}", f"{mei['id']}.", link[:-1], "é"):
        answer = await api.post("/v1/unsubscriptions", {"token": wrong})
        assert (answer.status, answer.json()["code"]) == (404, "bad-unsubscribe-link")
    assert (await email(api, mei["id"]))["address"] == "mei@example.org"
    await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)
    answer = await api.post("/v1/unsubscriptions", {"token": link})
    assert answer.status == 404
