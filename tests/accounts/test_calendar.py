"""The secret link to a patron's calendar feed: made, renewed, ended, and looked up."""

import asyncio
from typing import Any

import pytest
from bson import json_util

from services.accounts.preferences.rules import calendar_secret, link_of_secret
from tests.accounts.people import SERVICE, STAFF, STATION, registered
from tests.circulation.desk import Desk
from tests.support import OPS, Api, token

GATEWAY = token("gateway", ["service"])
HERE = "/v1/me/calendar"
NONE = {"path": None, "with_titles": False, "made_at": None}


async def made(api: Api, patron_id: str, *, with_titles: bool = False) -> str:
    """Make a new link and return its secret."""
    answer = await api.post(HERE, {"with_titles": with_titles}, as_=token(patron_id))
    assert answer.status == 201, answer.body
    assert (await api.get(HERE, as_=token(patron_id))).json() == answer.json()
    path: str = answer.json()["path"]
    return path.removeprefix("/v1/calendars/").removesuffix(".ics")


async def looked_up(api: Api, secret: str) -> tuple[int, Any]:
    answer = await api.post("/v1/calendar-lookups", {"secret": secret}, as_=GATEWAY)
    return answer.status, answer.json()


async def test_a_link_stands_for_its_patron_until_it_is_renewed_or_ended(api: Api) -> None:
    mei = await registered(api)
    assert (await api.get(HERE, as_=token(mei["id"]))).json() == NONE
    first = await made(api, mei["id"])
    found = {"patron_id": mei["id"], "language": "zh-Hant", "with_titles": False}
    assert await looked_up(api, first) == (200, found)

    second = await made(api, mei["id"], with_titles=True)
    assert (await looked_up(api, first))[0] == 404
    assert await looked_up(api, second) == (200, found | {"with_titles": True})

    for _ in range(2):
        assert (await api.delete(HERE, as_=token(mei["id"]))).status == 204
    status, problem = await looked_up(api, second)
    assert (status, problem["code"]) == (404, "no-such-calendar")
    assert (await api.get(HERE, as_=token(mei["id"]))).json() == NONE


async def test_a_changed_secret_stands_for_nobody(api: Api) -> None:
    mei, other = await registered(api), await registered(api, card_number="HK0002")
    secret, others = await made(api, mei["id"]), await made(api, other["id"])
    link, digest = secret.split(".")
    wrong = ("x", link, f"{link}.", f"{others.split('.')[0]}.{digest}", secret[:-1], "\ud800é")
    for one in (*wrong, secret.upper()):
        assert (await looked_up(api, one))[0] in (404, 422)
    assert (await looked_up(api, secret))[1]["patron_id"] == mei["id"]


async def test_the_language_of_the_feed_is_the_one_that_the_patron_chose(api: Api) -> None:
    mei = await registered(api)
    secret = await made(api, mei["id"])
    await api.patch("/v1/me/preferences", {"language": "en"}, as_=token(mei["id"]))
    assert (await looked_up(api, secret))[1]["language"] == "en"


async def test_an_erasure_ends_the_link_and_deletes_it(api: Api, lending: Desk) -> None:
    mei = await registered(api)
    secret = await made(api, mei["id"])
    assert (await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)).status == 200
    assert (await looked_up(api, secret))[0] == 404
    assert (await api.post(HERE, {}, as_=token(mei["id"]))).status == 404
    assert (
        await api.app.state.database.cardholders.count_documents({"calendar.link": {"$gt": ""}})
        == 0
    )


async def test_no_stored_document_has_the_secret(api: Api) -> None:
    mei = await registered(api)
    answer = await api.post(HERE, {}, as_=token(mei["id"]), key="once")
    digest = answer.json()["path"].partition(".")[2].removesuffix(".ics")
    again = await api.post(HERE, {}, as_=token(mei["id"]), key="once")
    assert again.json() == answer.json()
    database = api.app.state.database
    for name in await database.list_collection_names():
        async for document in database[name].find():
            assert digest not in json_util.dumps(document)


async def test_concurrent_requests_for_links_leave_one_link(api: Api) -> None:
    mei = await registered(api)
    secrets = await asyncio.gather(*(made_at_once(api, mei["id"]) for _ in range(10)))
    left = [secret for secret in secrets if (await looked_up(api, secret))[0] == 200]
    assert len(set(secrets)) == len(secrets)
    assert len(left) == 1


async def made_at_once(api: Api, patron_id: str) -> str:
    answer = await api.post(HERE, {}, as_=token(patron_id))
    assert answer.status == 201
    path: str = answer.json()["path"]
    return path.removeprefix("/v1/calendars/").removesuffix(".ics")


@pytest.mark.parametrize("as_", [SERVICE, STAFF, OPS, STATION, token("gateway", ["patron"])])
async def test_only_the_gateway_learns_whose_a_link_is(api: Api, as_: str) -> None:
    mei = await registered(api)
    secret = await made(api, mei["id"])
    answer = await api.post("/v1/calendar-lookups", {"secret": secret}, as_=as_)
    assert answer.status == 403
    assert mei["id"].encode() not in answer.body


def test_a_secret_has_a_digest_of_256_bits_that_depends_on_the_key() -> None:
    secret = calendar_secret("link", "key")
    assert len(bytes.fromhex(secret.partition(".")[2])) == 32
    assert link_of_secret(secret, "key") == "link"
    assert link_of_secret(secret, "other") is None
    assert link_of_secret(calendar_secret("link", ""), "") is None
