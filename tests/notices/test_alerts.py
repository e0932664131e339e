"""Alerts about the security of an account: at once, at the address that accounts keeps for each."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.notices.app import create_app
from services.notices.settings import Settings
from shared.clock import wall_clock
from shared.contracts import Event
from shared.contracts.accounts import (
    AlertOfCard,
    AlertOfContact,
    AlertOfDevice,
    AlertOfPin,
    AlertToConfirm,
    PinReset,
)
from tests import samples
from tests.mail_server import MailServer
from tests.notices.lending import Lending
from tests.notices.library import FEBRUARY_17, hear, inbox, prefers, registered
from tests.notices.mails import BEFORE, BOTH, log, parts, send, with_mail
from tests.support import Api, served

FORMER, NEW, NOW_IN_USE = "former@example.org", "new@example.org", "use@example.org"


@pytest.fixture
def settings(settings: Settings, server: MailServer) -> Settings:
    return with_mail(settings, server)


@pytest.fixture(autouse=True)
async def kept(api: Api, lending: Lending) -> None:
    """Patron q, who has not chosen e-mail, and the address of an alert."""
    lending.addresses["q"] = NOW_IN_USE
    lending.alerts["alert-1"] = (FORMER, None)
    await hear(api, registered("q"), "e-0", BEFORE)


def alert(kind: type[Event], **more: Any) -> Event:
    return samples.alert(kind, patron_id="q", **more)


CHANGES = {
    "PIN": (alert(AlertOfPin), "The PIN of your library account was changed."),
    "PIN by staff": (alert(AlertOfPin, by="staff"), "have given your account a new PIN."),
    "PIN by a code": (
        PinReset(patron_id="q", reset_id="reset-1", alert_id="alert-1", version=2),
        "You have chosen a new PIN with a code from an e-mail.",
    ),
    "card": (alert(AlertOfCard, by="staff"), "staff have replaced your library card."),
    "new address": (
        alert(AlertOfContact, asked=True),
        "Until it is confirmed, the library goes on",
    ),
    "address": (alert(AlertOfContact, changed=True), "The e-mail address of your library account"),
    "no address": (alert(AlertOfContact, removed=True, by="staff"), "library's staff did this."),
    "telephone": (alert(AlertOfContact, phone=True), "The telephone number of your library"),
    "device": (alert(AlertOfDevice), "Somebody logged in to your library account on a device"),
}


@pytest.mark.parametrize(("event", "said"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_is_told_at_once_at_the_address_from_before(
    api: Api, settings: Settings, server: MailServer, event: Event, said: str
) -> None:
    """In quiet hours too, and to a patron who wants one e-mail a day or none."""
    digest = prefers("q", 1, channels=BOTH).model_copy(update={"digest": True})
    await hear(api, digest, "e-1", BEFORE)
    for _ in range(3):
        await hear(api, event, "e-2", FEBRUARY_17)
    begin, end = [
        (wall_clock() + timedelta(hours=hours)).astimezone(settings.zone).strftime("%H:%M")
        for hours in (-6, 6)
    ]
    quiet = with_mail(settings, server, quiet_hours=f"{begin}-{end}")
    async with served(create_app, quiet) as other:
        assert await send(other) == 1
    assert server.recipients == [FORMER]
    [message] = server.accepted
    assert message["List-Unsubscribe"] is None
    for part in parts(message):
        assert said in part or said.replace("'", "&#x27;") in part
        assert "unsubscribe" not in part
        assert "be turned off" in part
        assert not [one for one in (FORMER, NEW, NOW_IN_USE, "HK0001A") if one in part]
    [told] = await inbox(api, "q")
    assert said in told["text"]
    assert [one["state"] for one in await log(api)] == ["sent"]


async def test_a_code_to_confirm_an_address_is_sent_there_and_is_nowhere_else(
    api: Api, server: MailServer, lending: Lending
) -> None:
    lending.alerts["alert-2"] = (NEW, "58203417")
    await hear(api, alert(AlertToConfirm, key="alert-2"), "e-1", FEBRUARY_17)
    assert await send(api) == 1
    assert server.recipients == [NEW]
    for part in parts(server.accepted[0]):
        assert "Your code: 58203417. Enter it within seven days under My Setting" in part
        assert NOW_IN_USE not in part
    database = api.app.state.database
    for name in await database.list_collection_names():
        stored = str([one async for one in database[name].find()])
        assert [one for one in ("58203417", FORMER, NEW) if one in stored] == [], name


async def test_a_patron_without_an_address_reads_the_alert_in_the_inbox(
    api: Api, server: MailServer
) -> None:
    await hear(api, alert(AlertOfPin, key="alert-3"), "e-1", FEBRUARY_17)
    assert await send(api) == 1
    assert server.accepted == []
    assert [(one["state"], one["reason"]) for one in await log(api)] == [("dropped", "no-address")]
    assert len(await inbox(api, "q")) == 1


async def test_two_replicas_tell_each_change_once(
    api: Api, replica: Api, server: MailServer, lending: Lending
) -> None:
    for number in range(10):
        lending.alerts[f"of-{number}"] = (f"former-{number}@example.org", None)
        for each in (api, replica):
            await hear(each, alert(AlertOfPin, key=f"of-{number}"), f"e-{number}", FEBRUARY_17)
    await asyncio.gather(*(send(each) for each in (api, replica) * 2))
    assert sorted(server.recipients) == [f"former-{number}@example.org" for number in range(10)]
    assert len(set(server.message_ids)) == 10
