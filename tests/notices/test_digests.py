"""One e-mail a day with everything, against a real mail server."""

import asyncio
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from services.notices.app import create_app
from services.notices.settings import Settings
from shared.clock import wall_clock
from shared.contracts.circulation import HoldReady
from shared.contracts.events import AdmissionPromoted
from tests import samples
from tests.mail_server import MailServer, listening
from tests.notices import library
from tests.notices.lending import Lending
from tests.notices.mails import BEFORE, BOTH, MEI, OPEN, due_again, log, parts, send, with_mail
from tests.support import Api, served, until


@pytest.fixture
def settings(settings: Settings, server: MailServer) -> Settings:
    """A mail server, and a digest half a day from now, so that none is due during a test."""
    due_at = (wall_clock() + timedelta(hours=12)).astimezone(settings.zone)
    return with_mail(settings, server, digest_at=f"{due_at:%H:%M}")


@pytest.fixture(autouse=True)
async def mei(api: Api, lending: Lending) -> None:
    """Patron p, who has chosen one e-mail a day, with three loans."""
    lending.addresses["p"] = MEI
    lending.loans = {f"loan-{number}": OPEN for number in (1, 2, 3)}
    await library.hear(api, library.prefers("p", 1, channels=BOTH, digest=True), "e-0", BEFORE)


async def states(api: Api) -> list[tuple[str, str, str | None]]:
    return sorted((one["kind"], one["state"], one["reason"]) for one in await log(api))


MOVED = "loan.due-date-changed"


async def test_all_messages_of_a_day_are_one_email_at_the_set_time(
    api: Api, settings: Settings, server: MailServer
) -> None:
    await library.hear(api, library.title(1, "Tom & <Jerry>"), "e-9", BEFORE)
    await library.hear(
        api, library.prefers("p", 2, language="zh-Hant", channels=BOTH, digest=True), "e-8", BEFORE
    )
    for number in (1, 2, 3):
        await library.hear(
            api, library.moved(f"loan-{number}", "p"), f"e-{number}", library.FEBRUARY_17
        )
    assert await send(api) == 3
    assert server.accepted == []
    assert await states(api) == [("digest", "waiting", None), *[(MOVED, "held", None)] * 3]
    digest, *held = await log(api)
    due_at = settings.next_digest(wall_clock())
    assert {datetime.fromisoformat(one["next_at"]) for one in [digest, *held]} == {due_at}
    assert {one["digest_id"] for one in held} == {digest["id"]}
    assert await send(api) == 0
    await due_again(api)
    assert await send(api) == 1
    [message] = server.accepted
    assert message["Subject"] == "您的圖書館帳戶：3 則訊息"
    assert message["Message-ID"] == f"<{digest['id']}@library.example.org>"
    text, html = parts(message)
    told = [one["text"] for one in await library.inbox(api, "p")]
    assert all(f"- {one}" in text for one in told)
    assert html.count("<li>") == 3
    assert "Tom &amp; &lt;Jerry&gt;" in html
    assert await states(api) == [("digest", "sent", None), *[(MOVED, "sent", None)] * 3]
    assert [one["parts"] for one in await log(api) if one["kind"] == "digest"] == [3]
    assert await send(api) == 0


@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2021-02-26T08:59:59+00:00", "2021-02-26"),
        ("2021-02-26T09:00:00+00:00", "2021-02-27"),
        ("2021-02-26T16:30:00+00:00", "2021-02-27"),
        ("2021-02-28T23:00:00+00:00", "2021-03-01"),
    ],
)
def test_the_day_of_an_email_is_the_librarys(after: str, due: str) -> None:
    found = Settings(digest_at="17:00").next_digest(datetime.fromisoformat(after))
    assert found.isoformat() == f"{due}T17:00:00+08:00"


async def test_each_message_is_in_one_email_by_two_replicas_however_often_its_event_comes(
    api: Api, replica: Api, server: MailServer
) -> None:
    for number in range(12):
        for each in (api, replica):
            await library.hear(
                each, library.moved("loan-1", "p"), f"e-{number + 1}", library.FEBRUARY_17
            )
    done = await asyncio.gather(*(send(each) for each in (api, replica) * 3))
    assert sum(done) == 12
    await due_again(api)
    assert sum(await asyncio.gather(*(send(each) for each in (api, replica) * 3))) == 1
    for each in (api, replica):
        await library.hear(each, library.moved("loan-1", "p"), "e-1", library.FEBRUARY_17)
        assert await send(each) == 0
    [message] = server.accepted
    assert parts(message)[1].count("<li>") == 12


async def test_a_digest_leaves_out_untrue_messages_and_is_not_sent_without_any(
    api: Api, server: MailServer, lending: Lending
) -> None:
    lending.owes("loan-1", 750)
    await library.hear(api, library.moved("loan-1", "p"), "e-1", library.FEBRUARY_17)
    await library.hear(api, library.moved("loan-2", "p"), "e-2", library.FEBRUARY_17)
    await library.hear(api, library.overdue("loan-1", "p"), "e-3", library.DECEMBER_9)
    assert await send(api) == 3
    del lending.loans["loan-2"]
    lending.statements.clear()
    await due_again(api)
    assert await send(api) == 1
    [message] = server.accepted
    assert message["Subject"] == "News in your library account"
    assert "<li>" not in parts(message)[1]
    assert await states(api) == [
        ("digest", "sent", None),
        (MOVED, "dropped", "outdated"),
        (MOVED, "sent", None),
        ("loan.overdue", "dropped", "outdated"),
    ]
    await library.hear(api, library.moved("loan-3", "p"), "e-4", library.FEBRUARY_17)
    assert await send(api) == 1
    lending.loans.clear()
    await due_again(api)
    assert await send(api) == 1
    assert len(server.accepted) == 1
    assert (await states(api))[:2] == [("digest", "dropped", "outdated"), ("digest", "sent", None)]


async def test_messages_that_would_come_too_late_are_sent_at_once(
    api: Api, settings: Settings, server: MailServer, lending: Lending
) -> None:
    digest_day = settings.next_digest(wall_clock()).date()
    ready: dict[str, Any] = {"state": "ready", "pickup_branch": "TPO"}
    for days, sent in ((0, 1), (1, 0)):
        until_day = digest_day + timedelta(days=days)
        lending.holds["hold-1"] = {**ready, "shelf_until": until_day.isoformat()}
        event = library.hold(HoldReady, 2, state="ready").model_copy(
            update={"shelf_until": until_day}
        )
        await library.hear(api, event, f"e-{days}-ready", library.DECEMBER_9)
        assert await send(api) == 1
        assert len(server.accepted) == sent
        server.accepted.clear()
    assert sorted(await states(api)) == [
        ("digest", "waiting", None),
        ("hold.ready", "held", None),
        ("hold.ready", "sent", None),
    ]


@pytest.mark.parametrize("days", [0, 1])
async def test_each_kind_says_until_which_day_it_is_of_use(
    api: Api, settings: Settings, lending: Lending, days: int
) -> None:
    day = settings.next_digest(wall_clock()).date() + timedelta(days=days)
    noon = datetime.combine(day, time(12), settings.zone)
    lending.loans["loan-1"] = {"state": "open", "due_on": day.isoformat()}
    lending.registered["activity-1"] = ["p"]
    await library.register(api, "STPL")
    follows: dict[str, Any] = {"channels": BOTH, "digest": True}
    await library.hear(api, library.prefers("p", 2, ("STPL",), **follows), "e-1", BEFORE)
    for number, event in enumerate(
        (
            library.due_soon("loan-1", "p").model_copy(update={"due_on": day}),
            samples.seat(AdmissionPromoted, 1, patron_id="p", until=noon),
            library.rescheduled("activity-1").model_copy(
                update={"starts_at": noon + timedelta(days=9), "previous_starts_at": noon}
            ),
            library.reopened("STPL", reopened_on=day),
        ),
        2,
    ):
        await library.hear(api, event, f"e-{number}", library.FEBRUARY_17)
    told = samples.activity("activity-2", 1, **{**library.TALK, "starts_at": noon})
    await library.hear(api, told, "e-10", BEFORE)
    await library.hear(api, library.called_off("activity-2", "p"), "e-11", library.FEBRUARY_17)
    assert await send(api, at=library.FEBRUARY_17) == 5
    found = {one["kind"]: one["state"] for one in await log(api) if one["kind"] != "digest"}
    assert len(found) == 5
    assert {state == "held" for state in found.values()} == {days == 1}, found


async def test_a_changed_choice_loses_and_doubles_nothing(api: Api, server: MailServer) -> None:
    await library.hear(api, library.moved("loan-1", "p"), "e-1", library.FEBRUARY_17)
    assert await send(api) == 1
    await library.hear(api, library.prefers("p", 2, channels=BOTH), "e-2", library.FEBRUARY_17)
    await library.hear(api, library.moved("loan-2", "p"), "e-3", library.FEBRUARY_17)
    server.to_recipient.append("450 Greylisted")
    assert await send(api) == 1
    await library.hear(
        api, library.prefers("p", 3, channels=BOTH, digest=True), "e-4", library.FEBRUARY_17
    )
    await due_again(api)
    assert await send(api) == 2  # the digest with the first, and the second that was tried before
    assert len(server.accepted) == 2
    assert await states(api) == [("digest", "sent", None), *[(MOVED, "sent", None)] * 2]
    assert await send(api) == 0


async def test_email_turned_off_ends_all_that_is_held(
    api: Api, server: MailServer, lending: Lending
) -> None:
    for number in (1, 2):
        await library.hear(api, library.moved("loan-1", "p"), f"e-{number}", library.FEBRUARY_17)
    assert await send(api) == 2
    lending.addresses["p"] = None
    await due_again(api)
    assert await send(api) == 1
    ended = ("dropped", "no-address")
    assert await states(api) == [("digest", *ended), *[(MOVED, *ended)] * 2]


async def test_a_refusal_is_noted_for_all_messages_of_the_email(
    api: Api, server: MailServer
) -> None:
    for number in (1, 2):
        await library.hear(api, library.moved("loan-1", "p"), f"e-{number}", library.FEBRUARY_17)
    assert await send(api) == 2
    server.to_recipient.append("550 No such user")

    async def tried() -> bool:  # again, if circulation or the mail server took too long
        await due_again(api)
        await send(api)
        return "waiting" not in {one["state"] for one in await log(api)}

    await until(tried)
    assert {(one["state"], one["smtp_code"]) for one in await log(api)} == {("bounced", 550)}
    assert len(await log(api, "state=bounced")) == 3


async def test_while_the_server_is_away_the_email_waits_and_is_sent_once(
    api: Api, settings: Settings
) -> None:
    server = MailServer()
    async with listening(server):
        pass
    async with served(create_app, with_mail(settings, server)) as other:
        for number in (1, 2):
            await library.hear(
                api, library.moved("loan-1", "p"), f"e-{number}", library.FEBRUARY_17
            )
        assert await send(other) == 2
        for _ in range(4):
            await due_again(api)
            assert await send(other) == 1
        # A notice that comes meanwhile waits for the e-mail of the next day.
        await library.hear(api, library.moved("loan-1", "p"), "e-3", library.FEBRUARY_17)
        assert await send(other) == 1
        assert {one["parts"] for one in await log(api) if one["kind"] == "digest"} == {2, 1}
        async with listening(server):
            await due_again(api, only={"closed": True})
            assert await send(other) == 1
        [message] = server.accepted
        assert parts(message)[1].count("<li>") == 2
        await due_again(api, queued_ago=timedelta(days=4))
        assert await send(other) == 1
    failed = ("failed", "too-late")
    assert [one for one in await states(api) if one[1] != "sent"] == [
        ("digest", *failed),
        (MOVED, *failed),
    ]


async def test_a_lost_answer_leads_to_one_repeat_with_the_same_id(
    api: Api, server: MailServer
) -> None:
    for number in (1, 2):
        await library.hear(api, library.moved("loan-1", "p"), f"e-{number}", library.FEBRUARY_17)
    assert await send(api) == 2
    server.drops = 1
    for _ in range(2):
        await due_again(api)
        assert await send(api) == 1
    assert len(server.message_ids) == 2
    assert len(set(server.message_ids)) == 1
    assert {one["state"] for one in await log(api)} == {"sent"}


async def test_a_suspension_announced_while_the_email_is_on_its_way_is_sent_too(
    api: Api, server: MailServer, lending: Lending
) -> None:
    for number in (1, 2, 3):
        lending.borrowers[f"s-{number}"] = ["p"]
    await library.hear(api, library.suspended("s-1"), "e-1", library.FEBRUARY_17)
    assert await send(api) == 1
    await library.hear(api, library.suspended("s-2"), "e-2", library.FEBRUARY_17)
    assert await send(api) == 0  # the held one covers it
    await due_again(api)
    server.may_answer.clear()
    sending = asyncio.create_task(send(api))

    async def arrived() -> bool:
        return bool(server.accepted)

    await until(arrived)
    await library.hear(api, library.suspended("s-3"), "e-3", library.FEBRUARY_17)
    server.may_answer.set()
    assert await sending == 2  # the digest, and the hold of the next one
    assert sorted(one["state"] for one in await log(api) if one["kind"] == "digest") == [
        "sent",
        "waiting",
    ]


async def test_an_erased_patron_leaves_no_digest(api: Api, server: MailServer) -> None:
    await library.hear(api, library.moved("loan-1", "p"), "e-1", library.FEBRUARY_17)
    assert await send(api) == 1
    await due_again(api)
    server.may_answer.clear()
    sending = asyncio.create_task(send(api))

    async def arrived() -> bool:
        return bool(server.accepted)

    await until(arrived)
    await library.hear(api, library.erased("p"), "e-2", library.FEBRUARY_17)
    server.may_answer.set()
    assert await sending == 1
    assert await log(api) == []


async def test_a_full_email_leaves_the_rest_to_the_next_day(
    api: Api, server: MailServer, lending: Lending
) -> None:
    lending.charges["charge-1"] = {"amount_cents": 750, "outstanding_cents": 750}
    for number in range(101):
        await library.hear(api, library.fine("charge-1", "p"), f"e-{number}", library.DECEMBER_9)
    assert await send(api) == 101
    digests = [one for one in await log(api, "limit=5") if one["kind"] == "digest"]
    assert sorted(one["parts"] for one in digests) == [1, 100]
    first, second = sorted(datetime.fromisoformat(one["next_at"]) for one in digests)
    assert second - first == timedelta(days=1)
