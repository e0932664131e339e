"""The desk's page records attendance by library card, on the real accounts and events services."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.events.app import create_app as create_events
from services.events.settings import Settings as EventsSettings
from services.gateway.app import create_app
from services.gateway.web.session import SESSION
from services.settings import Settings
from tests.events.programme import BEFORE, STAFF, published
from tests.events.study.season import Members
from tests.events.test_registrations import register
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.conftest import SECRETS
from tests.support import Api, loopback_server, reaching, served

EVE = "2020-11-19T19:00:00+08:00"
FOCUSED = 'id="card_number" name="card_number" type="text" value="" required'
"""The beginning of the empty field of the card number."""


@dataclass(frozen=True)
class Door:
    """A librarian's browser, with what the services behind it have."""

    browser: Browser
    accounts: Api
    events: Api

    async def patron(self, card: str, name: str) -> str:
        """Register a patron; return the id."""
        body = {"card_number": card, "pin": "593817", "name": name, "category": "adult"}
        body |= {"home_branch": "HKCL", "language": "en"}
        answer = await self.accounts.insist("POST", "/v1/patrons", body, as_=STAFF)
        assert answer.status == 201, answer.body
        return str(answer.json()["id"])


@pytest.fixture
async def door(whole: None, settings: Settings) -> AsyncIterator[Door]:
    told = settings.model_copy(update=SECRETS)
    async with (
        served(create_accounts, AccountsSettings(**told.model_dump())) as accounts,
        loopback_server(Members().app()) as members,  # accounts, as events asks it
        served(
            create_events, reaching(EventsSettings(**told.model_dump()), accounts=members)
        ) as events,
        served(create_app, reaching(told, accounts=accounts.url, events=events.url)) as site,
        Browser(site.url, at=BEFORE) as browser,
    ):
        browser.give(SESSION, STAFF)
        yield Door(browser, accounts, events)


async def test_staff_record_who_comes_card_by_card(door: Door) -> None:
    window = door.browser
    first = await door.patron("HK0001", "Chan Mei-ling")
    second = await door.patron("HK0002", "Ho Ka-yan")
    waiting = await door.patron("HK0003", "Lee Wai")
    await door.patron("HK0004", "Wong Siu-fan")
    talk = await published(door.events, places=2)
    for patron in (first, second, waiting):
        await register(door.events, patron, talk["id"])
    here = f"/desk/activities/{talk['id']}"
    record = f"{here}/attendance"
    assert f"{here}#card_number" in (await window.get(f"/activities/{talk['id']}")).links

    window.at = EVE
    page = await insist(lambda: window.get(here))
    assert "Registered patrons 2 Attended 0" in page.text
    page = await window.submit(page, record, card_number="HK0001")
    assert page.status == 409
    assert "The day of this activity has not come yet." in page.text

    window.at = BEFORE
    for _ in range(2):  # a card may be scanned twice
        page = await window.submit(page, record, card_number="HK0001")
        assert page.status == 200
        assert "Attendance recorded: Chan Mei-ling, 20 November 2020" in page.text
        assert "Registered patrons 2 Attended 1" in page.text
        # The field is ready for the next card, and says what became of the last.
        field = page.html[page.html.index(FOCUSED) :].partition(">")[0]
        assert ("autofocus" in field, 'aria-describedby="said"' in field) == (True, True)
        assert page.html.count("autofocus") == 1
    for card, status, told in (
        ("HK0003", 409, "This reader is on the waiting list and has no place."),
        ("HK0004", 404, "There is no registration of this card for this activity. Register"),
        ("HK0009", 404, "No library card has this number."),
        ("", 404, "No library card has this number."),
    ):
        page = await window.submit(page, record, card_number=card)
        assert (page.status, told in page.text) == (status, True)
        assert FOCUSED in page.html
        assert "Registered patrons 2 Attended 1" in page.text
    page = await window.submit(page, record, card_number="HK0002")
    assert "Registered patrons 2 Attended 2" in page.text
    for _ in range(2):  # the second changes nothing
        withdrawn = await window.submit(page, f"{record}/withdrawal")
        assert withdrawn.status == 200
        assert "Attendance withdrawn: Ho Ka-yan." in withdrawn.text
        assert "Registered patrons 2 Attended 1" in withdrawn.text
        assert f"{record}/withdrawal" not in withdrawn.html
        assert withdrawn.html.count("autofocus") == 1
    page = await window.submit(withdrawn, record, card_number="HK0002")
    assert "Registered patrons 2 Attended 2" in page.text
    assert str(talk["title"]) in page.html  # the form to change the activity is as before
    for language, told in (("zh-Hant", "出席人數 2"), ("zh-Hans", "出席人数 2")):
        shown = await window.get(f"{here}?lang={language}")
        assert (shown.status, shown.language, told in shown.text) == (200, language, True)


async def test_a_reader_without_a_registration_is_registered_at_the_door(door: Door) -> None:
    window, talk = door.browser, await published(door.events, places=2)
    here = f"/desk/activities/{talk['id']}"
    register_here, record = f"{here}/registration", f"{here}/attendance"
    for number, name in ((1, "Chan Mei-ling"), (2, "Ho Ka-yan"), (3, "Lee Wai")):
        await door.patron(f"HK000{number}", name)

    # On its day the reader is registered in one step, and the attendance recorded with it.
    page = await insist(lambda: window.get(here))
    page = await window.submit(page, record, card_number="HK0001")
    assert page.html.count(f'action="{register_here}"') == 2
    page = await window.submit(page, register_here)
    assert "Attendance recorded: Chan Mei-ling" in page.text
    assert "Registered patrons 1 Attended 1" in page.text

    # Before its day, from the activity's own page, there is only a registration.
    window.at = EVE
    page = await window.get(f"/activities/{talk['id']}")
    page = await window.submit(page, register_here, card_number="HK0002")
    assert "Ho Ka-yan is registered and has a place." in page.text
    assert "Registered patrons 2 Attended 1" in page.text
    for card, status, told in (
        ("HK0002", 409, "The reader is registered for this activity already."),
        ("HK0009", 404, "No library card has this number."),
        ("HK0003", 200, "Lee Wai is number 1 on the waiting list. All places are taken."),
    ):
        page = await window.get(f"/activities/{talk['id']}")
        page = await window.submit(page, register_here, card_number=card)
        assert (page.status, told in page.text) == (status, True)


async def test_an_activity_without_registration_has_no_attendance(door: Door) -> None:
    talk = await published(door.events)
    page = await insist(lambda: door.browser.get(f"/desk/activities/{talk['id']}"))
    assert page.status == 200
    assert "Record attendance" not in page.text
    shown = await door.browser.get(f"/activities/{talk['id']}")
    assert "Record attendance" not in shown.text
