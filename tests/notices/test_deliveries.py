"""Notifications by e-mail, against a real mail server that refuses, delays and breaks off."""

import asyncio
import contextlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import encode

from services.notices.app import create_app
from services.notices.messages.jobs.mail import CONNECTIONS
from services.notices.settings import Settings
from shared.clock import parse_instant, wall_clock
from shared.contracts import Event
from shared.contracts.accounts import (
    PatronApplied,
    PatronCardExpiring,
    PinIssued,
    PinResetRequested,
)
from shared.contracts.circulation import HoldReady
from shared.contracts.events import AdmissionPromoted
from tests import samples
from tests.mail_server import MailServer, certificate, listening
from tests.notices.lending import Lending
from tests.notices.library import (
    DECEMBER_9,
    FEBRUARY_17,
    STAFF,
    confirmed,
    due_soon,
    erased,
    fine,
    hear,
    hold,
    inbox,
    moved,
    overdue,
    prefers,
    record_closure,
    register,
    registered,
    reopened,
    reopening,
    rescheduled,
    suspended,
    title,
)
from tests.notices.mails import (
    BEFORE,
    BOTH,
    MEI,
    OPEN,
    due_again,
    log,
    parts,
    send,
    with_mail,
)
from tests.support import Api, served, until


@pytest.fixture
def settings(settings: Settings, server: MailServer) -> Settings:
    return with_mail(settings, server)


@pytest.fixture(autouse=True)
async def mei(api: Api, lending: Lending) -> None:
    """Patron p, who has chosen e-mail, with a loan."""
    lending.addresses["p"] = MEI
    lending.loans["loan-1"] = OPEN
    await hear(api, prefers("p", 1, channels=BOTH), "e-0", BEFORE)


async def states(api: Api) -> list[tuple[str, str | None, int | None]]:
    return [(one["state"], one["reason"], one["smtp_code"]) for one in await log(api)]


async def test_a_notification_is_sent_in_the_patrons_language_as_text_and_html(
    api: Api, server: MailServer
) -> None:
    await hear(api, title(1, "Tom & <Jerry>\r\nBcc: x@example.org"), "e-1", BEFORE)
    await hear(api, prefers("p", 2, language="zh-Hant", channels=BOTH), "e-2", BEFORE)
    await hear(api, moved("loan-1", "p"), "e-3", FEBRUARY_17)
    [told] = await inbox(api, "p")
    assert await send(api) == 1
    [message] = server.accepted
    assert server.recipients == [MEI]
    assert message["To"] == MEI
    assert message["From"] == "City Library <library@example.org>"
    assert message["Subject"] == "您的圖書館帳戶：Tom & <Jerry> Bcc: x@example.org"
    assert message["Bcc"] is None
    assert message["Content-Language"] == "zh-Hant-HK"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] == "<https://library.example.org/unsubscribe/p.ok>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = parts(message)
    assert told["text"].replace("\r\n", "\n") in text.replace("\r\n", "\n")
    assert "https://library.example.org/inbox" in text
    assert "https://library.example.org/unsubscribe/p.ok" in text
    assert "Tom &amp; &lt;Jerry&gt;" in html
    assert '<a href="https://library.example.org/inbox">' in html
    [sent] = await log(api)
    assert (sent["state"], sent["tries"], sent["kind"]) == ("sent", 1, "loan.due-date-changed")
    assert message["Message-ID"] == f"<{sent['id']}@library.example.org>"
    assert await send(api) == 0


async def test_the_address_is_stored_nowhere_and_an_erased_patron_leaves_no_delivery(
    api: Api, server: MailServer
) -> None:
    for number, answer in enumerate(["250 Accepted", "550 No such user", "450 Later"]):
        server.to_recipient.append(answer)
        await hear(api, moved("loan-1", "p"), f"e-{number + 1}", FEBRUARY_17)
        await send(api)
    database = api.app.state.database
    for name in await database.list_collection_names():
        stored = [encode(document) async for document in database[name].find()]
        assert not any(MEI.encode() in one for one in stored), name
    assert {state for state, _, _ in await states(api)} == {"sent", "bounced", "waiting"}
    await hear(api, erased("p"), "e-9", FEBRUARY_17)
    assert await log(api) == []
    await hear(api, moved("loan-1", "p"), "e-10", FEBRUARY_17)
    assert await send(api) == 0


async def test_each_notification_is_sent_once_by_two_replicas_however_often_its_event_comes(
    api: Api, replica: Api, server: MailServer
) -> None:
    for number in range(30):
        for each in (api, replica):
            await hear(each, moved("loan-1", "p"), f"e-{number + 1}", FEBRUARY_17)
    done = await asyncio.gather(*(send(each) for each in (api, replica) * 3))
    assert sum(done) == 30
    assert len(server.message_ids) == len(set(server.message_ids)) == 30


async def test_only_chosen_channels_are_used(
    api: Api, server: MailServer, lending: Lending
) -> None:
    await hear(api, registered("q"), "e-1", BEFORE)
    lending.addresses["q"] = "q@example.org"
    await hear(api, moved("loan-1", "q"), "e-2", FEBRUARY_17)
    assert await send(api) == 0
    # A choice of before the event counts, although it arrives later; one of after it does not.
    await hear(api, prefers("q", 1, channels=BOTH), "e-3", FEBRUARY_17)
    await hear(api, prefers("q", 1, channels=BOTH), "e-4", FEBRUARY_17)
    assert await send(api) == 1
    await hear(api, moved("loan-1", "r"), "e-5", DECEMBER_9)
    lending.addresses["r"] = "r@example.org"
    await hear(api, prefers("r", 1, channels=BOTH), "e-6", FEBRUARY_17)
    assert await send(api) == 0
    # Accounts decides at sending: e-mail was turned off, or the address is gone.
    await hear(api, moved("loan-1", "p"), "e-7", FEBRUARY_17)
    lending.addresses["p"] = None
    assert await send(api) == 1
    assert server.recipients == ["q@example.org"]
    assert (await states(api))[0] == ("dropped", "no-address", None)


async def several(api: Api, lending: Lending, number: int) -> list[str]:
    """Queue a delivery for each of several patrons; return their addresses."""
    for place in range(number):
        lending.addresses[f"r{place}"] = f"r{place}@example.org"
        await hear(api, prefers(f"r{place}", 1, channels=BOTH), f"p-{place}", BEFORE)
        await hear(api, moved("loan-1", f"r{place}"), f"m-{place}", FEBRUARY_17)
    return sorted(f"r{place}@example.org" for place in range(number))


async def test_several_emails_are_sent_at_once_each_over_its_own_connection(
    api: Api, server: MailServer, lending: Lending
) -> None:
    addresses = await several(api, lending, 3 * CONNECTIONS)
    server.answered = CONNECTIONS  # then as many wait for their answer as are sent at once
    server.may_answer.clear()
    sending = asyncio.create_task(send(api))

    async def all_wait() -> bool:
        return len(server.accepted) == 2 * CONNECTIONS

    await until(all_wait)
    server.may_answer.set()
    assert await sending == len(addresses)
    assert sorted(server.recipients) == addresses
    assert {state for state, _, _ in await states(api)} == {"sent"}


async def test_a_refusal_for_now_keeps_back_its_recipient_and_nobody_else(
    api: Api, server: MailServer, lending: Lending
) -> None:
    for number in range(2):
        await hear(api, moved("loan-1", "p"), f"e-{number}", FEBRUARY_17)
    addresses = await several(api, lending, 3)
    server.to_sender.append("451 Later")
    assert await send(api) == 5
    assert sorted(server.recipients) == addresses
    waiting = [one for one in await log(api) if one["state"] == "waiting"]
    assert [one["patron_id"] for one in waiting] == ["p", "p"]
    await due_again(api)
    assert await send(api) == 2
    assert server.recipients[3:] == [MEI, MEI]


UNTRUE: list[tuple[str, Event, dict[str, Any], dict[str, Any]]] = [
    (
        "renewed",
        due_soon("loan-1", "p"),
        {"loans": {"loan-1": {"state": "open", "due_on": "2020-12-04"}}},
        {"loans": {"loan-1": {"state": "open", "due_on": "2020-12-18"}}},
    ),
    (
        "returned",
        moved("loan-1", "p"),
        {"loans": {"loan-1": OPEN}},
        {"loans": {}},
    ),
    (
        "overdue and returned",
        overdue("loan-1", "p"),
        {},
        {"statements": {}},
    ),
    (
        "paid",
        fine("charge-1", "p"),
        {"charges": {"charge-1": {"amount_cents": 750, "outstanding_cents": 750}}},
        {"charges": {"charge-1": {"amount_cents": 750, "outstanding_cents": 0}}},
    ),
    (
        "collected",
        hold(HoldReady, 2, state="ready"),
        {"holds": {"hold-1": {"state": "ready", "pickup_branch": "TPO"}}},
        {"holds": {"hold-1": {"state": "collected", "pickup_branch": "TPO"}}},
    ),
    (
        "no longer registered",
        confirmed("activity-1", "p", waited=True),
        {"registered": {"activity-1": ["a", "b", "p", "c"]}},
        {"registered": {"activity-1": ["a", "b"]}},
    ),
]


@pytest.mark.parametrize(
    ("event", "then", "now"), [one[1:] for one in UNTRUE], ids=[one[0] for one in UNTRUE]
)
@pytest.mark.parametrize("changes", [True, False])
async def test_nothing_is_sent_that_became_untrue(
    api: Api,
    server: MailServer,
    lending: Lending,
    *,
    event: Event,
    then: dict[str, Any],
    now: dict[str, Any],
    changes: bool,
) -> None:
    lending.owes("loan-1", 750)
    for name, known in then.items():
        setattr(lending, name, known)
    await hear(api, event, "e-1", DECEMBER_9)
    assert len(await inbox(api, "p")) == 1
    if changes:
        for name, known in now.items():
            setattr(lending, name, known)
    assert await send(api, at=DECEMBER_9) == 1
    assert len(server.accepted) == (0 if changes else 1)
    expected = ("dropped", "outdated", None) if changes else ("sent", None, None)
    assert await states(api) == [expected]


@pytest.mark.parametrize(
    ("at", "state"),
    [("2020-12-09T09:14:59+08:00", "sent"), ("2020-12-09T09:15:00+08:00", "dropped")],
    ids=["while it is held", "once it is free for others"],
)
async def test_a_place_in_a_study_room_is_sent_only_while_it_is_held(
    api: Api, server: MailServer, at: str, state: str
) -> None:
    until = parse_instant("2020-12-09T09:15:00+08:00")
    event = samples.seat(AdmissionPromoted, 1, patron_id="p", until=until)
    await hear(api, event, "e-1", "2020-12-09T09:00:00+08:00")
    assert await send(api, at=at) == 1
    assert [one["state"] for one in await log(api)] == [state]
    assert len(server.accepted) == (state == "sent")


async def test_an_announcement_that_a_later_one_replaces_is_not_sent(
    api: Api, server: MailServer, lending: Lending
) -> None:
    await register(api, "HKCL")
    lending.borrowers["s-1"] = lending.registered["talk"] = ["p"]
    await hear(api, suspended("s-1"), "e-1", DECEMBER_9)
    await hear(api, suspended("s-1", 2), "e-2", FEBRUARY_17)
    for number, starts_at in enumerate(("2021-03-01T19:00:00Z", "2021-03-02T19:00:00Z")):
        moved_to = rescheduled("talk", 2 + number).model_copy(
            update={"starts_at": parse_instant(starts_at)}
        )
        await hear(api, moved_to, f"e-{3 + number}", FEBRUARY_17)
    assert await send(api, at=FEBRUARY_17) == 4
    assert sorted((one["kind"], one["state"]) for one in await log(api)) == [
        ("activity.rescheduled", "dropped"),
        ("activity.rescheduled", "sent"),
        ("fines.suspended", "dropped"),
        ("fines.suspended", "sent"),
    ]
    [_, text] = [parts(message)[0] for message in server.accepted]
    assert "3 March 2021" in text or "2 March 2021" in text


async def test_a_reopening_that_was_announced_again_is_not_sent(
    api: Api, server: MailServer
) -> None:
    await register(api, "STPL")
    await hear(api, prefers("p", 2, ("STPL",), channels=BOTH), "e-1", BEFORE)
    shut = await record_closure(api, DECEMBER_9, branches=["STPL"], **{"from": "2020-12-10"})
    for day, state in (("2021-02-19", "sent"), ("2021-03-05", "dropped")):
        announced = await reopening(api, shut["id"], FEBRUARY_17, reopened_on=day)
        assert announced.status < 300, announced.body
        event = reopened("STPL", reopened_on=date.fromisoformat("2021-02-19"))
        await hear(api, event, f"e-{state}", FEBRUARY_17)
        assert await send(api, at=FEBRUARY_17) == 1
        assert (await log(api))[0]["state"] == state


async def test_a_fine_is_sent_as_it_is_at_sending(
    api: Api, server: MailServer, lending: Lending
) -> None:
    lending.owes("loan-1", 750)
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    lending.owes("loan-1", 0, suspended=True)
    assert await send(api, at=DECEMBER_9) == 1
    text, html = parts(server.accepted[0])
    assert "Fines are suspended, so none is added now." in text
    assert "$" not in text + html


async def test_an_overdue_loan_of_a_library_that_closes_without_an_end_is_not_sent(
    api: Api, server: MailServer, lending: Lending
) -> None:
    lending.owes("loan-1", 750, due_on="2020-12-05")  # the calendar's day, not the stored one
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    await hear(api, overdue("loan-1", "p"), "e-2", DECEMBER_9)
    assert await send(api, at=DECEMBER_9) == 2
    await hear(api, overdue("loan-1", "p"), "e-3", DECEMBER_9)
    lending.owes("loan-1", 0, due_on=None, overdue=False)
    await hear(api, overdue("loan-1", "p"), "e-4", DECEMBER_9)
    assert await send(api, at=DECEMBER_9) == 1
    assert [one["state"] for one in await log(api)] == ["dropped", "sent", "sent"]


async def test_a_withdrawn_notification_is_sent_only_once_it_is_put_back(
    api: Api, server: MailServer
) -> None:
    await register(api, "STPL")
    mine: dict[str, Any] = {"channels": BOTH}
    await hear(api, prefers("p", 2, ("STPL",), **mine), "e-1", BEFORE)
    await hear(api, reopened("STPL"), "e-2", FEBRUARY_17)
    # It turns out that the patron had unfollowed, and then that they followed again.
    await hear(api, prefers("p", 3, (), **mine), "e-3", DECEMBER_9)
    assert await send(api) == 1
    assert await states(api) == [("dropped", "withdrawn", None)]
    await hear(api, prefers("p", 4, ("STPL",), **mine), "e-4", DECEMBER_9)
    assert len(await inbox(api, "p")) == 1
    [delivery] = await log(api)
    assert delivery["state"] == "waiting"


async def test_a_suspension_announced_meanwhile_is_sent_too_and_none_twice(
    api: Api, server: MailServer, lending: Lending
) -> None:
    await register(api, "HKCL")
    for number in (1, 2, 3):
        lending.borrowers[f"s-{number}"] = ["p"]
    await hear(api, suspended("s-1"), "e-1", FEBRUARY_17)
    await hear(api, suspended("s-2"), "e-2", FEBRUARY_17)
    assert await send(api) == 1  # both in one
    server.may_answer.clear()
    await hear(api, suspended("s-3"), "e-3", FEBRUARY_17)
    sending = asyncio.create_task(send(api))
    await until(lambda: accepted(server, 2))
    await hear(api, suspended("s-1", 2), "e-4", FEBRUARY_17)  # while the second is on its way
    server.may_answer.set()
    assert await sending == 2
    await hear(api, suspended("s-3"), "e-5", FEBRUARY_17)
    assert await send(api) == 0
    assert len(set(server.message_ids)) == 3


async def accepted(server: MailServer, count: int) -> bool:
    return len(server.accepted) >= count


async def test_an_address_that_is_refused_for_good_is_shown_to_staff(
    api: Api, server: MailServer
) -> None:
    server.to_recipient.append("550 No such user")
    server.to_data.append("554 Not accepted")
    for number in (1, 2, 3):
        await hear(api, moved("loan-1", "p"), f"e-{number}", FEBRUARY_17)
    assert await send(api) == 3
    assert sorted(await states(api)) == [
        ("bounced", "refused", 550),
        ("bounced", "refused", 554),
        ("sent", None, None),
    ]
    assert len(await log(api, "state=bounced")) == 2
    assert await log(api, "state=bounced&patron=q") == []
    page = (await api.get("/v1/deliveries?limit=2", as_=STAFF)).json()
    rest = (await api.get(f"/v1/deliveries?limit=2&after={page['next']}", as_=STAFF)).json()
    assert [*page["items"], *rest["items"]] == await log(api)
    assert rest["next"] is None
    wrong = await api.get("/v1/deliveries?after=x", as_=STAFF)
    assert (wrong.status, wrong.json()["code"]) == (422, "bad-cursor")


@pytest.mark.parametrize(
    "address", ["a b@example.org", "字@example.org", "a@b@c", "a,b@example.org"]
)
async def test_an_address_that_no_server_can_take_bounces(
    api: Api, server: MailServer, lending: Lending, address: str
) -> None:
    lending.addresses["p"] = address
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    await hear(api, moved("loan-1", "p"), "e-2", FEBRUARY_17)
    assert await send(api) == 2
    assert {state for state, _, _ in await states(api)} == {"bounced"}
    assert server.accepted == []


async def test_a_server_that_refuses_for_now_is_tried_again_later(
    api: Api, server: MailServer
) -> None:
    server.to_recipient.extend(["450 Greylisted", "451 Greylisted"])
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    for code in (450, 451):
        assert await send(api) == 1
        assert await states(api) == [("waiting", None, code)]
        assert await send(api) == 0  # not before its pause has ended
        await due_again(api)
    assert await send(api) == 1
    assert await states(api) == [("sent", None, None)]
    assert len(server.accepted) == 1


async def test_an_answer_that_is_lost_leads_to_one_repeat_with_the_same_id(
    api: Api, server: MailServer
) -> None:
    server.drops = 1
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    assert await send(api) == 1
    assert await states(api) == [("waiting", None, None)]
    await due_again(api)
    assert await send(api) == 1
    assert await states(api) == [("sent", None, None)]
    assert len(server.message_ids) == 2
    assert len(set(server.message_ids)) == 1


async def test_while_the_server_is_away_everything_waits_and_then_goes_out_once(
    api: Api, settings: Settings
) -> None:
    server = MailServer()
    async with listening(server):
        pass
    async with served(create_app, with_mail(settings, server)) as other:
        for number in range(5):
            await hear(api, moved("loan-1", "p"), f"e-{number}", FEBRUARY_17)
        assert await send(other) == 1  # the round ends with the first
        assert {state for state, _, _ in await states(api)} == {"waiting"}
        async with listening(server):
            await due_again(api)
            assert await send(other) == 5
        assert len(server.message_ids) == len(set(server.message_ids)) == 5


async def test_a_delivery_that_waits_for_a_day_is_given_up(api: Api, server: MailServer) -> None:
    server.to_recipient.extend(["450 Greylisted"] * 2)
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    assert await send(api) == 1
    await due_again(api, queued_ago=timedelta(days=1))
    assert await send(api) == 1
    assert await states(api) == [("failed", "too-late", None)]
    assert server.accepted == []


async def test_while_lending_or_accounts_is_away_the_message_waits(
    api: Api, server: MailServer, lending: Lending
) -> None:
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    lending.away = True
    assert await send(api) == 1
    assert await states(api) == [("waiting", None, None)]
    lending.away = False
    await due_again(api)
    assert await send(api) == 1
    assert len(server.accepted) == 1


async def test_a_patron_erased_during_a_try_stays_erased(api: Api, server: MailServer) -> None:
    server.may_answer.clear()
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    sending = asyncio.create_task(send(api))
    await until(lambda: accepted(server, 1))
    await hear(api, erased("p"), "e-2", FEBRUARY_17)
    server.may_answer.set()
    assert await sending == 1
    assert await api.app.state.database.deliveries.count_documents({}) == 0


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_messages_travel_encrypted_after_a_log_in(
    api: Api, settings: Settings, tmp_path: Path, security: str
) -> None:
    context, trusted = certificate(tmp_path)
    server = MailServer()
    async with (
        listening(server, **{security: context}, log_in=True),
        served(
            create_app,
            with_mail(
                settings,
                server,
                smtp_security=security,
                smtp_ca_file=str(trusted),
                smtp_username="library",
                smtp_password="secret",
            ),
        ) as other,
    ):
        await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
        assert await send(other) == 1
    assert server.encrypted == [True]
    assert len(server.logins) == 1


async def test_messages_wait_while_the_password_at_the_mail_server_is_replaced(
    api: Api, settings: Settings, tmp_path: Path
) -> None:
    context, trusted = certificate(tmp_path)
    server = MailServer()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(listening(server, starttls=context, log_in=True))
        own = {
            "smtp_security": "starttls",
            "smtp_ca_file": str(trusted),
            "smtp_username": "library",
        }
        former, latest = [
            await stack.enter_async_context(
                served(create_app, with_mail(settings, server, **own, smtp_password=password))
            )
            for password in ("secret", "another")
        ]
        server.password = b"another"
        await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
        assert await send(former) == 1
        assert await states(api) == [("waiting", None, None)]
        await due_again(api)
        assert await send(latest) == 1
    assert len(server.accepted) == 1


async def test_nothing_is_sent_without_encryption_or_to_an_unknown_certificate(
    api: Api, settings: Settings, tmp_path: Path
) -> None:
    context, _ = certificate(tmp_path)
    plain, unknown = MailServer(), MailServer()
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(listening(plain))
        await stack.enter_async_context(listening(unknown, starttls=context))
        for server in (plain, unknown):
            secured = with_mail(settings, server, smtp_security="starttls")
            other = await stack.enter_async_context(served(create_app, secured))
            assert await send(other) == 1
            await due_again(api)
    assert plain.accepted == unknown.accepted == []
    assert await states(api) == [("waiting", None, None)]


async def test_without_a_mail_server_the_channel_is_off(
    api: Api, settings: Settings, lending: Lending
) -> None:
    assert (await api.get("/v1/channels")).json() == {"channels": ["inbox", "email"]}
    off = settings.model_copy(update={"smtp_host": ""})
    async with served(create_app, off) as without:
        assert (await without.get("/v1/channels")).json() == {"channels": ["inbox"]}
        await hear(without, moved("loan-1", "p"), "e-1", FEBRUARY_17)
        assert await send(without) == 0
    assert not any("/email-addresses" in path for path, _ in lending.asked)


@pytest.mark.parametrize(
    ("hours", "quiet"),
    [
        ("21:00-08:00", ["21:00", "23:59", "00:00", "07:59"]),
        ("12:30-14:00", ["12:30", "13:59"]),
        ("08:00-08:00", []),
        ("", []),
    ],
)
def test_quiet_hours_are_those_of_the_librarys_day(hours: str, quiet: list[str]) -> None:
    settings = Settings(quiet_hours=hours)
    clocks = ["00:00", "07:59", "08:00", "12:29", "12:30", "13:59", "14:00", "20:59", "21:00"]
    clocks.append("23:59")
    found = [
        clock for clock in clocks if settings.is_quiet(parse_instant(f"2021-02-26T{clock}+08:00"))
    ]
    assert sorted(found) == sorted(quiet)


async def test_in_quiet_hours_messages_wait(
    api: Api, settings: Settings, server: MailServer
) -> None:
    begin, end = [
        (wall_clock() + timedelta(hours=hours)).astimezone(settings.zone).strftime("%H:%M")
        for hours in (-6, 6)
    ]
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    for hours, tries in ((f"{begin}-{end}", 0), (f"{end}-{begin}", 1)):
        async with served(create_app, with_mail(settings, server, quiet_hours=hours)) as other:
            assert await send(other) == tries
    assert len(server.accepted) == 1


CODE = "40718256"


def code_requested(patron_id: str = "q") -> PinResetRequested:
    """Return the request of a patron who has not chosen e-mail."""
    return PinResetRequested(patron_id=patron_id, reset_id="reset-1", version=1)


async def test_a_code_is_sent_at_once_also_to_patrons_who_did_not_choose_email(
    api: Api, settings: Settings, server: MailServer, lending: Lending
) -> None:
    lending.addresses["q"] = "ka-yan@example.org"
    lending.codes["reset-1"] = CODE
    await hear(api, registered("q", language="zh-Hant"), "e-1", BEFORE)
    await hear(api, moved("loan-1", "p"), "e-2", FEBRUARY_17)
    for _ in range(3):
        await hear(api, code_requested(), "e-3", FEBRUARY_17)
    begin, end = [
        (wall_clock() + timedelta(hours=hours)).astimezone(settings.zone).strftime("%H:%M")
        for hours in (-6, 6)
    ]
    quiet = with_mail(settings, server, quiet_hours=f"{begin}-{end}")
    async with served(create_app, quiet) as other:
        assert await send(other) == 1
    [message] = server.accepted
    assert server.recipients == ["ka-yan@example.org"]
    assert message["List-Unsubscribe"] is None
    for part in parts(message):
        assert f"您的驗證碼：{CODE}。" in part
        assert "unsubscribe" not in part
    assert CODE not in str(message["Subject"])


async def test_the_code_is_only_in_the_email(
    api: Api, server: MailServer, lending: Lending, capfd: pytest.CaptureFixture[str]
) -> None:
    lending.addresses["q"] = "ka-yan@example.org"
    lending.codes["reset-1"] = CODE
    await hear(api, code_requested(), "e-1", FEBRUARY_17)
    assert await send(api) == 1
    assert len(server.accepted) == 1
    [told] = await inbox(api, "q")
    assert CODE not in str(told)
    database = api.app.state.database
    for name in await database.list_collection_names():
        async for one in database[name].find():
            assert CODE not in str(one), name
    assert CODE not in "".join(capfd.readouterr())


async def test_staff_get_their_code_once_with_a_link_in_each_language(
    api: Api, server: MailServer, lending: Lending, capfd: pytest.CaptureFixture[str]
) -> None:
    lending.staff_codes["code-1"] = ("lee@example.org", CODE)
    issued = PinIssued(account_id="lee", reset_id="code-1", version=1)
    for _ in range(3):
        await hear(api, issued, "e-1", FEBRUARY_17)
    assert [await send(api) for _ in range(2)] == [1, 0]
    [message] = server.accepted
    assert server.recipients == ["lee@example.org"]
    for part in parts(message):
        assert part.count(CODE) == 3
        assert "/forgotten-pin/code-1" in part
        for text in ("It is valid for 24 hours", "請用以下驗證碼", "请用以下验证码"):
            assert text in part
    assert CODE not in str(message["Subject"])
    assert await states(api) == [("sent", None, None)]
    database = api.app.state.database
    for name in await database.list_collection_names():
        async for one in database[name].find():
            assert CODE not in str(one), name
    assert CODE not in "".join(capfd.readouterr())


async def test_an_applicant_gets_the_code_once_in_the_language_of_the_application(
    api: Api, server: MailServer, lending: Lending, capfd: pytest.CaptureFixture[str]
) -> None:
    lending.applicants["application-1"] = ("ka-yan@example.org", CODE)
    for _ in range(3):
        await hear(
            api, PatronApplied(application_id="application-1", version=1), "e-1", FEBRUARY_17
        )
    assert [await send(api) for _ in range(2)] == [1, 0]
    [message] = server.accepted
    assert server.recipients == ["ka-yan@example.org"]
    for part in parts(message):
        assert part.count(CODE) == 1
        assert "/register/application-1" in part
        assert "憑此可取得臨時圖書證" in part
    database = api.app.state.database
    for name in await database.list_collection_names():
        async for one in database[name].find():
            assert CODE not in str(one), name
            assert "ka-yan" not in str(one), name
    assert CODE not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("expires_on", "outcome"),
    [("2021-03-01", ("sent", None, None)), ("2023-03-01", ("dropped", "outdated", None))],
)
async def test_a_warning_of_an_expiry_is_sent_unless_the_card_was_renewed_meanwhile(
    api: Api, server: MailServer, lending: Lending, expires_on: str, outcome: tuple[str, Any, Any]
) -> None:
    lending.addresses["q"] = "ka-yan@example.org"
    lending.expiries["q"] = expires_on
    expiring = samples.patron(
        PatronCardExpiring, 2, patron_id="q", card_expires_on=date(2021, 3, 1)
    )
    await hear(api, prefers("q", 1, channels=BOTH), "e-1", BEFORE)
    await hear(api, expiring, "e-2", FEBRUARY_17)
    assert await send(api) == 1
    assert await states(api) == [outcome]


async def test_a_code_of_staff_that_has_ended_is_not_sent(api: Api, server: MailServer) -> None:
    await hear(api, PinIssued(account_id="lee", reset_id="x", version=1), "e-1", FEBRUARY_17)
    assert await send(api) == 1
    assert server.accepted == []
    assert await states(api) == [("dropped", "outdated", None)]


async def test_a_code_that_can_no_longer_be_used_is_not_sent(
    api: Api, server: MailServer, lending: Lending
) -> None:
    lending.addresses["q"] = "ka-yan@example.org"
    await hear(api, code_requested(), "e-1", FEBRUARY_17)
    assert await send(api) == 1
    assert server.accepted == []
    assert await states(api) == [("dropped", "outdated", None)]


@pytest.mark.parametrize(
    ("field", "value"),
    [("mail_from", ""), ("public_url", "http://library.example.org"), ("public_url", "")],
)
def test_a_mail_server_needs_a_sender_and_a_safe_site(field: str, value: str) -> None:
    right = {"smtp_host": "mail", "mail_from": "a@example.org", "public_url": "https://example.org"}
    assert Settings.model_validate(right).channels == ("inbox", "email")
    with pytest.raises(ValueError, match=f"(?i){field}"):
        Settings.model_validate({**right, field: value})
