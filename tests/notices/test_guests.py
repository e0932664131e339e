"""Guests who ask a librarian: the address is confirmed first, and a link leads to the thread."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from services.notices.app import create_app
from services.notices.enquiries.store import guests as guests_store
from services.notices.settings import Settings
from shared.clock import wall_clock
from shared.contracts.notices import EnquiryAnswered, EnquiryClosed
from tests.addresses import NO_ADDRESSES
from tests.mail_server import MailServer
from tests.notices.library import STAFF, events, hear, inbox, patron
from tests.notices.mails import parts, send, with_mail
from tests.notices.test_enquiries import command, queue, shown
from tests.support import Answer, Api, served, token

JUNE_1 = "2021-06-01T10:00:00+08:00"
JUNE_2 = "2021-06-02T09:59:59+08:00"
ONE_DAY_LATER = "2021-06-02T10:00:00+08:00"
ADDRESS = "Wong.Siu@example.org"
QUESTION = {
    "subject": "Old photographs",
    "text": "Do you have photographs of the Peak Tram?",
    "language": "en",
    "address": ADDRESS,
}
LINK = re.compile(r"https://library\.example\.org/ask/([\w.-]+)")


@pytest.fixture
def settings(settings: Settings, server: MailServer) -> Settings:
    return with_mail(settings, server, service_secret="a secret of the services")


async def ask(api: Api, at: str = JUNE_1, **more: Any) -> Answer:
    return await api.insist("POST", "/v1/guest-enquiries", {**QUESTION, **more}, at=at)


async def linked(api: Api, server: MailServer) -> str:
    """Send what waits, and return the token of the link in the newest e-mail."""
    await send(api)
    return token_in(server)


def token_in(server: MailServer) -> str:
    text, html = parts(server.accepted[-1])
    [found] = LINK.findall(text)
    assert set(LINK.findall(html)) == {found}
    return str(found)


async def by_guest(api: Api, name: str, link: str, at: str = JUNE_1, **more: Any) -> Answer:
    return await api.insist("POST", f"/v1/guest-enquiries/{name}", {"token": link, **more}, at=at)


async def seen(api: Api, link: str, at: str = JUNE_1) -> Answer:
    return await api.insist("GET", f"/v1/guest-enquiries?token={link}", at=at)


async def confirmed(api: Api, server: MailServer, at: str = JUNE_1, **more: Any) -> str:
    """Ask and confirm; return the token of the link."""
    assert (await ask(api, at, **more)).status == 202
    link = await linked(api, server)
    answer = await by_guest(api, "confirmation", link, at)
    assert (answer.status, answer.json()) == (200, {"state": "new"}), answer.body
    return link


async def attached(api: Api) -> str:
    """Upload a file as a librarian, and return its id."""
    headers = {"Content-Type": "application/octet-stream"}
    path = "/v1/attachments?name=list.txt"
    answer = await api.insist("POST", path, data=b"A list", headers=headers, as_=STAFF)
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def purge(api: Api, at: str) -> int:
    return await api.job("notices/purge-guests", at=at)


async def left(api: Api) -> dict[str, int]:
    """Return the number of documents about guests, by collection."""
    database = api.app.state.database
    names = ("guests", "enquiries", "enquiry_messages", "deliveries", "attachments")
    found = {name: await database[name].count_documents({}) for name in names}
    subject = QUESTION["subject"].encode()
    found["answers"] = sum([subject in one["result"] async for one in database.answers.find({})])
    return {name: number for name, number in found.items() if number}


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


async def test_staff_see_a_question_once_its_address_is_confirmed(
    api: Api, server: MailServer
) -> None:
    asked = await ask(api)
    assert (asked.status, asked.json()) == (202, {"confirm_by": "2021-06-02T02:00:00Z"})
    assert await queue(api, "all") == []
    assert await events(api, "enquiry.opened") == []
    link = await linked(api, server)
    waiting = (await seen(api, link)).json()
    assert (waiting["confirm_by"], waiting["question"]) == ("2021-06-02T02:00:00Z", None)

    answers = await asyncio.gather(*(by_guest(api, "confirmation", link) for _ in range(5)))
    assert {(one.status, one.json()["state"]) for one in answers} == {(200, "new")}
    [enquiry_id] = await queue(api, "new")
    for_staff = await shown(api, {"id": enquiry_id}, STAFF)
    assert (for_staff["patron_id"], for_staff["language"]) == (None, "en")
    assert [one["text"] for one in for_staff["thread"]] == [QUESTION["text"]]
    [opened] = await events(api, "enquiry.opened")
    assert (opened["patron_id"], opened["version"]) == (None, 1)


async def test_the_e_mail_to_confirm_repeats_nothing_that_was_typed(
    api: Api, server: MailServer
) -> None:
    await ask(api, language="zh-Hant")
    await send(api)
    [message] = server.accepted
    assert server.recipients == [ADDRESS]
    assert (message["Subject"], message["Content-Language"]) == (
        "請確認您向圖書館提出的問題",
        "zh-Hant-HK",
    )
    assert message["List-Unsubscribe"] is None
    for text in parts(message):
        assert "photograph" not in text
        assert "24小時內有效" in text


async def test_a_question_is_answered_replied_to_and_closed_by_the_link(
    api: Api, server: MailServer
) -> None:
    link = await confirmed(api, server)
    [enquiry_id] = await queue(api, "new")
    enquiry = {"id": enquiry_id}
    first = await command(api, enquiry, "answers", text="Of which year?", asks=True, seen=1)
    assert first.status == 201
    stale = await command(api, enquiry, "answers", token("staff-2", ["staff"]), text="Yes.", seen=1)
    assert code(stale) == (409, "enquiry-changed")
    assert await linked(api, server) == link
    assert "“Old photographs”" in parts(server.accepted[-1])[0]
    assert "needs to know more" in parts(server.accepted[-1])[0]
    assert (await by_guest(api, "replies", link, text="Of 1900.")).json() == {"state": "assigned"}
    await command(api, enquiry, "answers", text="On the fifth floor.", seen=3)
    assert await linked(api, server) == link
    assert "has answered your question" in parts(server.accepted[-1])[0]

    question = (await seen(api, link)).json()["question"]
    assert [(one["by"], one["author"], one["text"]) for one in question["thread"]] == [
        ("patron", None, QUESTION["text"]),
        ("staff", None, "Of which year?"),
        ("patron", None, "Of 1900."),
        ("staff", None, "On the fifth floor."),
    ]
    assert (await by_guest(api, "closure", link)).json() == {"state": "closed"}
    assert code(await by_guest(api, "closure", link)) == (409, "enquiry-closed")
    assert (await by_guest(api, "replies", link, text="Thanks")).json() == {"state": "assigned"}
    assert server.recipients == [ADDRESS] * 3


async def test_notes_are_not_shown_to_guests(api: Api, server: MailServer) -> None:
    link = await confirmed(api, server)
    [enquiry_id] = await queue(api, "new")
    await command(api, {"id": enquiry_id}, "notes", text="Ask the map room.")
    assert len((await seen(api, link)).json()["question"]["thread"]) == 1


async def test_a_question_that_is_not_confirmed_within_a_day_is_deleted(
    api: Api, server: MailServer
) -> None:
    await ask(api)
    link = await linked(api, server)
    assert await purge(api, JUNE_2) == 0
    assert (await seen(api, link, JUNE_2)).status == 200
    gone = (404, "no-such-guest-enquiry")
    assert code(await seen(api, link, ONE_DAY_LATER)) == gone
    assert code(await by_guest(api, "confirmation", link, ONE_DAY_LATER)) == gone
    assert await purge(api, ONE_DAY_LATER) == 1
    assert await left(api) == {}
    indexes = await api.app.state.database.guests.index_information()
    assert indexes["expires_at_1"]["expireAfterSeconds"] == 0


async def test_an_address_gets_three_e_mails_a_day_and_nobody_learns_that(
    api: Api, replica: Api, server: MailServer
) -> None:
    """Also if it is written differently, from two replicas at once."""
    written = ("wongsiu@example.org", "Wong.Siu+a@EXAMPLE.org", ADDRESS)
    answers = await asyncio.gather(
        *(
            (api, replica)[number % 2].insist(
                "POST",
                "/v1/guest-enquiries",
                {**QUESTION, "address": written[number % 3]},
                at=JUNE_1,
            )
            for number in range(12)
        )
    )
    assert {(one.status, one.body) for one in answers} == {(202, answers[0].body)}
    while await send(api):
        pass
    assert len(server.recipients) == 3
    assert (await ask(api, ONE_DAY_LATER)).status == 202
    assert await send(api) == 1


async def test_deleting_an_unconfirmed_question_brings_no_further_e_mail(
    api: Api, server: MailServer
) -> None:
    for _ in range(4):
        await ask(api)
        while await send(api):
            assert (await by_guest(api, "erasure", token_in(server))).status == 204
    assert len(server.recipients) == 3


async def test_confirmed_questions_do_not_count_but_open_ones_do(
    api: Api, replica: Api, server: MailServer
) -> None:
    for _ in range(9):
        await confirmed(api, server)
    links = []
    for _ in range(3):
        await ask(api)
        links.append(await linked(api, server))
    answers = await asyncio.gather(
        *(
            by_guest((api, replica)[number % 2], "confirmation", link)
            for number, link in enumerate(links)
        )
    )
    assert sorted(one.status for one in answers) == [200, 409, 409]
    assert {one.json()["code"] for one in answers if one.status == 409} == {"too-many-enquiries"}


async def test_a_made_up_link_opens_nothing(api: Api, server: MailServer) -> None:
    link = await confirmed(api, server)
    guest_id, _, digest = link.rpartition(".")
    forged = (guest_id, f"{guest_id}.", f"{guest_id}.{digest[::-1]}", f".{digest}", "é", "")
    for made_up in (*forged, guests_store.guest_token(guest_id, "another secret")):
        assert code(await seen(api, made_up)) == (404, "no-such-guest-enquiry")
        for name, more in (
            ("confirmation", {}),
            ("replies", {"text": "Hello"}),
            ("closure", {}),
            ("erasure", {}),
        ):
            refused = await by_guest(api, name, made_up, **more)
            assert code(refused) == (404, "no-such-guest-enquiry")
    assert (await api.get(f"/v1/enquiries/{guest_id}", as_=patron("a"))).status == 404
    for name, body in (("replies", {"text": "Hello"}), ("closure", {})):
        answer = await command(api, {"id": guest_id}, name, patron("a"), **body)
        assert code(answer) == (404, "no-such-enquiry")


async def test_two_questions_of_one_guest_are_merged_but_not_of_two(
    api: Api, server: MailServer
) -> None:
    first = await confirmed(api, server)
    second = await confirmed(api, server, subject="Old pictures")
    await confirmed(api, server, address="wongsiu@example.org", subject="Of another address")
    one, two, other = await queue(api, "new")
    assert await queue(api, "open", more=f"&same_reader={one}") == [one, two]
    theirs = await command(api, {"id": one}, "merger", into=other, seen=1, seen_into=1)
    assert code(theirs) == (409, "not-mergeable")
    merged = await command(api, {"id": one}, "merger", into=two, seen=1, seen_into=1)
    assert merged.json()["state"] == "closed"
    assert await linked(api, server) == first
    assert "together with another" in parts(server.accepted[-1])[0]
    assert (await seen(api, first)).json()["question"]["merged_into"] == second
    into = (await seen(api, second)).json()["question"]
    assert into["merged"] == [{"token": first, "subject": "Old photographs"}]
    assert code(await by_guest(api, "replies", first, text="Hello")) == (409, "enquiry-merged")
    assert (await by_guest(api, "erasure", second)).status == 204
    assert await queue(api, "all") == [other]


async def test_files_of_an_answer_are_for_its_guest(api: Api, server: MailServer) -> None:
    link = await confirmed(api, server)
    other = await confirmed(api, server, address="other@example.org")
    [enquiry_id, _] = await queue(api, "new")
    file = await attached(api)
    await command(api, {"id": enquiry_id}, "answers", text="See.", seen=1, attachments=[file])
    path = f"/v1/guest-enquiries/files?file={file}&token="
    assert (await api.insist("GET", path + link)).body == b"A list"
    assert code(await api.insist("GET", path + other)) == (404, "no-such-attachment")
    colleague = token("staff-2", ["staff"])
    assert (await api.get(f"/v1/attachments/{file}", as_=colleague)).body == b"A list"
    assert (await api.get(f"/v1/attachments/{file}", as_=patron("a"))).status == 404


async def test_a_guest_deletes_everything_while_others_write(api: Api, server: MailServer) -> None:
    link = await confirmed(api, server)
    [enquiry_id] = await queue(api, "new")
    enquiry = {"id": enquiry_id}
    files = [await attached(api)]
    await command(api, enquiry, "answers", text="See.", seen=1, attachments=files)
    assert (await left(api))["answers"] == 2
    writing = asyncio.gather(
        *(command(api, enquiry, "notes", text=f"Note {number}") for number in range(5)),
        *(by_guest(api, "replies", link, text=f"Reply {number}") for number in range(5)),
    )
    assert (await by_guest(api, "erasure", link)).status == 204
    await writing
    assert await left(api) == {}
    database = api.app.state.database
    assert await database["attachment_contents.files"].count_documents({}) == 0
    assert code(await seen(api, link)) == (404, "no-such-guest-enquiry")
    told = [event["state"] for event in await events(api, "enquiry.closed")]
    assert told == ["closed"]


async def test_a_question_is_kept_until_90_days_after_its_answer(
    api: Api, server: MailServer
) -> None:
    await confirmed(api, server)
    await confirmed(api, server, address="other@example.org")
    answered, waiting = await queue(api, "new")
    await command(api, {"id": answered}, "answers", text="Yes.", seen=1, at=JUNE_2)
    assert await purge(api, "2021-08-31T09:59:00+08:00") == 0
    assert await purge(api, "2021-08-31T10:00:00+08:00") == 1
    assert await queue(api, "all") == [waiting]
    assert (await left(api))["guests"] == 1


async def test_no_document_has_the_address_or_the_link_in_plain(
    api: Api, server: MailServer
) -> None:
    await ask(api)
    link = await linked(api, server)
    await by_guest(api, "confirmation", link)
    found = []
    database = api.app.state.database
    for name in await database.list_collection_names():
        found += [(name, str(one)) async for one in database[name].find({})]
    assert {name for name, _ in found} >= {"guests", "answers", "outbox", "deliveries"}
    secrets = (ADDRESS, ADDRESS.lower(), "Wong", link, link.rpartition(".")[2])
    assert [(name, one) for name, one in found if any(part in one for part in secrets)] == []


async def test_events_of_guests_notify_no_patron(api: Api, server: MailServer) -> None:
    await confirmed(api, server)
    await confirmed(api, server)
    one, two = await queue(api, "new")
    await command(api, {"id": two}, "answers", text="Yes.", seen=1)
    await command(api, {"id": one}, "merger", into=two, seen=1, seen_into=2)
    async for row in api.app.state.database.outbox.find({}).sort("_id", 1):
        for kind in (EnquiryAnswered, EnquiryClosed):
            if row["topic"] == kind.topic:
                event = kind.model_validate_json(row["body"])
                await hear(api, event, row["_id"], row["headers"]["ce_time"])
    assert await api.app.state.database.notifications.count_documents({}) == 0
    assert await inbox(api, "a") == []


async def test_quiet_hours_hold_back_answers_but_not_what_a_guest_waits_for(
    settings: Settings, server: MailServer
) -> None:
    begin, end = [
        (wall_clock() + timedelta(hours=hours)).astimezone(settings.zone).strftime("%H:%M")
        for hours in (-6, 6)
    ]
    now_quiet = settings.model_copy(update={"quiet_hours": f"{begin}-{end}"})
    async with served(create_app, now_quiet) as quiet:
        await confirmed(quiet, server)
        [enquiry_id] = await queue(quiet, "new")
        await command(quiet, {"id": enquiry_id}, "answers", text="Yes.", seen=1)
        assert await send(quiet) == 0
        states = [
            one["state"] for one in (await quiet.get("/v1/deliveries", as_=STAFF)).json()["items"]
        ]
        assert sorted(states) == ["sent", "waiting"]


async def test_without_a_mail_server_guests_cannot_ask(settings: Settings) -> None:
    async with served(create_app, settings.model_copy(update={"smtp_host": ""})) as silent:
        assert code(await ask(silent)) == (409, "guests-not-answered")


@pytest.mark.parametrize("address", ["", *NO_ADDRESSES])
async def test_an_address_that_is_none_is_refused(api: Api, address: str) -> None:
    answer = await ask(api, address=address)
    assert answer.status == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["body.address"]
