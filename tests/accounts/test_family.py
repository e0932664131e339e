"""Linked cards: invitations that tell nothing, the consent of both, limits, and ends."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.accounts.family.rules import MOST_A_DAY, MOST_LINKS
from services.accounts.patrons.commands.records import ImportPatrons, RegisterPatron, import_patrons
from services.accounts.settings import Settings
from shared.clock import wall_clock
from shared.ids import card_digest
from shared.unit_of_work import Origin
from tests.accounts.people import STAFF, events, registered
from tests.circulation.desk import Desk
from tests.support import OPS, Answer, Api, token

FAMILY = "/v1/me/family"
INVITATIONS = f"{FAMILY}-invitations"


async def people(api: Api, *cards: str, **other: Any) -> list[dict[str, Any]]:
    return [await registered(api, card_number=card, name=card, **other) for card in cards]


async def invite(api: Api, sender: dict[str, Any], card: str) -> Answer:
    return await api.post(INVITATIONS, {"card_number": card}, as_=token(sender["id"]))


async def deliver(api: Api) -> int:
    """Run the job that looks for the holders of the cards."""
    return await api.job("accounts/invitations")


async def family(api: Api, patron: dict[str, Any]) -> dict[str, Any]:
    answer = await api.get(FAMILY, as_=token(patron["id"]))
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def accept(api: Api, patron: dict[str, Any], invitation: str, **more: Any) -> Answer:
    path = f"{INVITATIONS}/{invitation}/acceptance"
    return await api.post(path, as_=token(patron["id"]), **more)


async def drop(api: Api, patron: dict[str, Any], invitation: str) -> Answer:
    return await api.delete(f"{INVITATIONS}/{invitation}", as_=token(patron["id"]))


async def link(api: Api, one: dict[str, Any], other: dict[str, Any]) -> None:
    invitation = (await invite(api, one, other["card_number"])).json()["id"]
    await deliver(api)
    answer = await accept(api, other, invitation)
    assert answer.status == 201, answer.body


async def end(api: Api, one: dict[str, Any], other: dict[str, Any]) -> Answer:
    return await api.delete(f"{FAMILY}/{other['id']}", as_=token(one["id"]))


async def linked(api: Api, patron: dict[str, Any]) -> list[str]:
    return [one["name"] for one in (await family(api, patron))["links"]]


async def told(api: Api) -> list[tuple[str, str, str]]:
    """Topic, patron and other patron of each event of a link."""
    topics = ("patron.linked", "patron.unlinked")
    return [
        (topic, event["patron_id"], event["member_id"])
        for topic, event in await events(api)
        if topic in topics
    ]


async def test_an_accepted_invitation_links_both_cards_until_one_ends_it(api: Api) -> None:
    mei, tai = await people(api, "HK-MEI", "HK-TAI")
    invitation = (await invite(api, mei, " hk-tai ")).json()
    assert (await family(api, tai))["received"] == []
    assert await deliver(api) == 1
    assert await deliver(api) == 0
    [received] = (await family(api, tai))["received"]
    assert (received["id"], received["name"]) == (invitation["id"], "HK-MEI")
    assert (await family(api, mei))["sent"] == [invitation]

    answer = await accept(api, tai, invitation["id"])
    assert (answer.status, answer.json()["patron_id"]) == (201, mei["id"])
    assert (await accept(api, tai, invitation["id"])).status == 404
    assert await linked(api, mei) == ["HK-TAI"]
    assert await linked(api, tai) == ["HK-MEI"]
    for patron in (mei, tai):
        found = await family(api, patron)
        assert (found["received"], found["sent"]) == ([], [])

    assert (await end(api, tai, mei)).status == 204
    assert (await end(api, mei, tai)).json()["code"] == "not-linked"
    assert await linked(api, mei) == await linked(api, tai) == []
    sides = {(mei["id"], tai["id"]), (tai["id"], mei["id"])}
    said = await told(api)
    assert {(one, other) for topic, one, other in said if topic == "patron.linked"} == sides
    assert {(one, other) for topic, one, other in said if topic == "patron.unlinked"} == sides
    assert len(said) == 4
    ended = {e["patron_id"]: e for topic, e in await events(api) if topic == "patron.unlinked"}
    assert ended[tai["id"]]["by"] == "patron"
    assert ended[mei["id"]]["by"] == "member"
    assert {event["version"] for event in ended.values()} == {2}
    await link(api, mei, tai)
    assert await linked(api, mei) == ["HK-TAI"]


async def test_an_invitation_does_not_tell_whether_there_is_such_a_card(api: Api) -> None:
    mei, tai = await people(api, "HK-MEI", "HK-TAI")
    answers = [await invite(api, mei, card) for card in ("HK-TAI", "NO-CARD")]
    await deliver(api)
    assert [answer.status for answer in answers] == [202, 202]
    bodies = [answer.json() for answer in answers]
    assert bodies[0].keys() == bodies[1].keys()
    assert (await drop(api, tai, bodies[0]["id"])).status == 204  # declined
    assert (await family(api, tai))["received"] == []
    assert (await family(api, mei))["sent"] == bodies
    data = await api.get(f"/v1/personal-data/{mei['id']}", as_=token("gateway", ["service"]))
    kept = data.json()["invitations"]
    assert kept[0].keys() == kept[1].keys()
    assert tai["id"].encode() not in data.body
    for body in bodies:  # both can be withdrawn in the same way
        assert (await drop(api, mei, body["id"])).status == 204
        assert (await drop(api, mei, body["id"])).status == 404
    assert (await family(api, mei))["sent"] == []


async def test_only_its_sender_and_the_invited_patron_can_use_an_invitation(api: Api) -> None:
    mei, tai, other = await people(api, "HK-MEI", "HK-TAI", "HK-OTHER")
    invitation = (await invite(api, mei, "HK-TAI")).json()["id"]
    assert (await accept(api, tai, invitation)).status == 404  # not delivered yet
    await deliver(api)
    for patron in (mei, other):
        answer = await accept(api, patron, invitation)
        assert (answer.status, answer.json()["code"]) == (404, "no-such-invitation")
    assert (await drop(api, other, invitation)).status == 404
    assert (await accept(api, tai, invitation)).status == 201


async def test_an_expired_invitation_cannot_be_accepted(api: Api) -> None:
    mei, tai = await people(api, "HK-MEI", "HK-TAI")
    invitation = (await invite(api, mei, "HK-TAI")).json()["id"]
    await deliver(api)
    # A moment ago: the database deletes expired documents only once a minute.
    gone = wall_clock() - timedelta(seconds=1)
    database = api.app.state.database
    await database.invitations.update_many({}, {"$set": {"expires_at": gone}})
    assert (await accept(api, tai, invitation)).status == 404
    for patron in (mei, tai):
        found = await family(api, patron)
        assert (found["received"], found["sent"]) == ([], [])


async def test_the_same_card_is_invited_once_and_ones_own_never(api: Api) -> None:
    mei, tai = await people(api, "HK-MEI", "HK-TAI")
    first, again = await invite(api, mei, "HK-TAI"), await invite(api, mei, "hk-tai")
    assert first.json() == again.json()
    assert (await invite(api, mei, "HK-MEI")).json()["code"] == "own-card"
    assert await deliver(api) == 1
    await accept(api, tai, first.json()["id"])
    assert (await invite(api, mei, "HK-TAI")).status == 202  # of linked cards: told to nobody
    assert await deliver(api) == 0
    assert (await family(api, tai))["received"] == []


async def test_fifty_concurrent_invitations_keep_the_limit_of_a_day(api: Api) -> None:
    [mei] = await people(api, "HK-MEI")

    async def one(number: int) -> Answer:
        body = {"card_number": f"NO-{number:03}"}
        return await api.insist("POST", INVITATIONS, body, as_=token(mei["id"]))

    answers = await asyncio.gather(*(one(number) for number in range(50)))
    refused = [answer.json()["code"] for answer in answers if answer.status != 202]
    assert refused == ["too-many-invitations"] * (50 - MOST_A_DAY)
    sent = (await family(api, mei))["sent"]
    assert len(sent) == MOST_A_DAY
    await drop(api, mei, sent[0]["id"])  # a withdrawn one counts on
    assert (await one(99)).status == 429


async def test_concurrent_acceptances_keep_the_limit_of_links(api: Api) -> None:
    [mei] = await people(api, "HK-MEI")
    others = await people(api, *(f"HK-{number:03}" for number in range(MOST_LINKS + 3)))
    invitations = [(await invite(api, other, "HK-MEI")).json()["id"] for other in others]
    await deliver(api)
    answers = await asyncio.gather(
        *(
            api.insist("POST", f"{INVITATIONS}/{one}/acceptance", as_=token(mei["id"]))
            for one in invitations
        )
    )
    refused = [answer.json()["code"] for answer in answers if answer.status != 201]
    assert refused == ["too-many-links"] * 3
    assert len(await linked(api, mei)) == MOST_LINKS


async def test_concurrent_acceptance_and_repetition_make_one_link(api: Api) -> None:
    mei, tai = await people(api, "HK-MEI", "HK-TAI")
    crossed = [
        (tai, (await invite(api, mei, "HK-TAI")).json()["id"]),
        (mei, (await invite(api, tai, "HK-MEI")).json()["id"]),
    ]
    await deliver(api)
    answers = await asyncio.gather(
        *(
            api.insist("POST", f"{INVITATIONS}/{one}/acceptance", as_=token(patron["id"]))
            for patron, one in crossed * 3
        )
    )
    assert sum(answer.status == 201 for answer in answers) == 1
    assert {answer.status for answer in answers} <= {201, 404, 409}
    assert await linked(api, mei) == ["HK-TAI"]
    assert await api.app.state.database.links.count_documents({}) == 2
    assert (await family(api, mei))["received"] == (await family(api, tai))["received"] == []


async def test_a_junior_is_linked_at_the_desk_with_a_guardian_until_grown_up(api: Api) -> None:
    parent, friend = await people(api, "HK-MA", "HK-FRIEND")
    born = {"category": "junior", "born_on": "2003-02-28"}
    junior, small = await people(api, "HK-JUNIOR", "HK-SMALL", **born)
    invitation = (await invite(api, friend, "HK-JUNIOR")).json()["id"]
    await deliver(api)
    assert (await family(api, junior))["needs_guardian"] is True
    assert (await accept(api, junior, invitation)).json()["code"] == "needs-guardian"
    assert (await invite(api, junior, "HK-MA")).json()["code"] == "needs-guardian"

    async def at_desk(patron: dict[str, Any], card: str) -> Answer:
        path = f"/v1/patrons/{patron['id']}/family"
        return await api.post(path, {"card_number": card}, as_=STAFF)

    assert (await at_desk(friend, "HK-MA")).json()["code"] == "not-junior"
    assert (await at_desk(junior, "HK-SMALL")).json()["code"] == "needs-guardian"
    assert (await at_desk(junior, "HK-JUNIOR")).json()["code"] == "needs-guardian"
    assert (await at_desk(junior, "NO-CARD")).json()["code"] == "no-such-patron"
    assert (await at_desk({"id": "nobody"}, "HK-MA")).json()["code"] == "no-such-patron"
    assert (await at_desk(junior, "HK-MA")).status == 201
    assert (await at_desk(small, "HK-MA")).status == 201
    assert (await at_desk(junior, "HK-MA")).json()["code"] == "already-linked"
    assert await linked(api, parent) == ["HK-JUNIOR", "HK-SMALL"]

    birthday = "2021-02-28T00:10:00+08:00"
    path = "/v1/ops/jobs/accounts/birthdays"
    database = api.app.state.database
    await database.cardholders.update_one({"_id": small["id"]}, {"$set": {"born_on": None}})
    assert (await api.post(path, as_=OPS, at=birthday)).json()["done"] == 1
    assert await linked(api, junior) == []
    assert await linked(api, parent) == ["HK-SMALL"]
    amended = await api.patch(f"/v1/patrons/{small['id']}", {"category": "adult"}, as_=STAFF)
    assert amended.status == 200
    assert await linked(api, parent) == []
    ended = [event["by"] for topic, event in await events(api) if topic == "patron.unlinked"]
    assert ended == ["came-of-age"] * 4


async def test_a_junior_who_is_imported_as_an_adult_has_no_guardian_and_the_new_language(
    api: Api, settings: Settings
) -> None:
    [parent] = await people(api, "HK-MA")
    [junior] = await people(api, "HK-JUNIOR", category="junior")
    at_desk = f"/v1/patrons/{junior['id']}/family"
    assert (await api.post(at_desk, {"card_number": "HK-MA"}, as_=STAFF)).status == 201
    history = {"keep_history": True}
    await api.insist("PATCH", "/v1/me/preferences", history, as_=token(junior["id"]))
    given = RegisterPatron(
        card_number="HK-JUNIOR",
        card_digest=card_digest("HK-JUNIOR", settings.card_key),
        pin_hash="",
        name="HK-JUNIOR",
        category="adult",
        home_branch="KPL",
        language="en",
        email=None,
        phone=None,
    )
    origin, unit = Origin(now=wall_clock()), api.app.state.unit_of_work
    for outcome in ("changed", "unchanged"):
        outcomes, _ = await unit.run(import_patrons, ImportPatrons((given,)), origin)
        assert outcomes == [outcome]
    assert await linked(api, junior) == await linked(api, parent) == []
    told = [event for topic, event in await events(api) if topic == "preferences.changed"]
    assert [(one["version"], one["language"]) for one in told] == [(1, "zh-Hant"), (2, "en")]


async def test_an_erasure_ends_links_and_hides_itself_from_senders(api: Api, lending: Desk) -> None:
    mei, tai, other = await people(api, "HK-MEI", "HK-TAI", "HK-OTHER")
    await link(api, mei, tai)
    to_mei = (await invite(api, other, "HK-MEI")).json()
    from_mei = (await invite(api, mei, "HK-OTHER")).json()
    await deliver(api)
    assert (await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)).status == 200
    found = await family(api, tai)
    assert found["links"] == []
    found = await family(api, other)
    assert (found["sent"], found["received"]) == ([to_mei], [])
    assert (await accept(api, other, from_mei["id"])).status == 404
    ended = {
        e["patron_id"]: e["by"] for topic, e in await events(api) if topic.endswith("unlinked")
    }
    assert ended == {mei["id"]: "erased", tai["id"]: "erased"}
    database = api.app.state.database
    for collection in ("links", "invitations"):
        async for document in database[collection].find({}):
            assert mei["id"] not in str(document)


async def test_a_link_cannot_outlive_a_concurrent_erasure(api: Api, lending: Desk) -> None:
    mei, tai = await people(api, "HK-MEI", "HK-TAI")
    invitation = (await invite(api, mei, "HK-TAI")).json()["id"]
    await deliver(api)
    erased, accepted = await asyncio.gather(
        api.insist("DELETE", f"/v1/patrons/{mei['id']}", as_=STAFF),
        api.insist("POST", f"{INVITATIONS}/{invitation}/acceptance", as_=token(tai["id"])),
    )
    assert erased.status == 200
    assert accepted.status in (201, 404)
    assert await linked(api, tai) == []
    assert await api.app.state.database.links.count_documents({}) == 0


@pytest.mark.parametrize("card", ["", "X", "Ä" * 5, "9" * 65])
async def test_a_number_that_no_card_can_have_is_refused(api: Api, card: str) -> None:
    [mei] = await people(api, "HK-MEI")
    assert (await invite(api, mei, card)).status == 422
