"""The patron's calendar feed: its secret link in My Setting, and what the feed has."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

import pytest
import structlog
from icalendar import Calendar, Component
from structlog.testing import LogCapture

from services.gateway.app import create_app
from services.gateway.settings import LIMITS, Settings
from shared.contracts import accounts as said_by_accounts
from shared.contracts import circulation, events, notices
from shared.http import middleware
from tests import samples
from tests.gateway.web.browser import Browser, Page
from tests.gateway.web.conftest import CARD, PIN, SECRETS, log_in
from tests.support import Answer, Api, reaching, served

Hear = Callable[..., Awaitable[None]]
NOW = "2021-02-10T10:00:00+08:00"


@pytest.fixture
async def patron_id(site: Api) -> str:
    opened = await site.post("/v1/sessions", {"card_number": CARD, "pin": PIN})
    return str(opened.json()["patron_id"])


@pytest.fixture
async def patron(browser: Browser) -> Browser:
    """The patron's browser, logged in."""
    await log_in(browser)
    return browser


@pytest.fixture
async def account(hear: Hear, patron_id: str) -> str:
    """The id of the patron, whose account has one thing of each kind."""
    mine: dict[str, Any] = {"patron_id": patron_id}
    await hear(samples.title(1, "Harbour; Lights, 2"))
    called = {"name": "Central Library", "names": {"zh-Hant": "中央圖書館"}}
    await hear(samples.branch(notices.BranchRegistered, 1, **called))
    await hear(samples.loan(circulation.LoanCheckedOut, 1, **mine))
    await hear(samples.hold(circulation.HoldPlaced, 1, **mine))
    ready = {"state": "ready", "expires_on": date(2021, 2, 18), "shelf_until": date(2021, 2, 18)}
    await hear(samples.hold(circulation.HoldReady, 1, "hold-2", **mine, **ready))
    span: dict[str, Any] = {"starts_at": "2021-02-20T11:00:00Z", "ends_at": "2021-02-20T12:30:00Z"}
    wordings = {"zh-Hant": {"title": "維港燈飾", "venue": "演講廳"}}
    there: dict[str, Any] = {"branch": "HKCL", "venue": "Hall", "wordings": wordings}
    await hear(samples.activity("talk-1", **there, **span))
    await hear(samples.activity("talk-2", starts_at="2021-02-21T11:00:00Z"))
    await hear(samples.registration(events.RegistrationConfirmed, 1, **mine))
    waits = {"activity_id": "talk-2", "state": "waitlisted"}
    await hear(samples.registration(events.RegistrationWaitlisted, 1, "reg-2", **mine, **waits))
    await hear(samples.admission(events.AdmissionGranted, 2, state="granted", **mine))
    session: dict[str, Any] = {
        "starts_at": "2021-02-11T01:00:00Z",
        "ends_at": "2021-02-11T05:00:00Z",
        "until": "2021-02-11T01:30:00Z",
    }
    await hear(samples.booking(events.BookingMade, 1, **mine, **session))
    return patron_id


async def made(patron: Browser, **fields: str) -> str:
    """Make a link in My Setting and return the path of the feed."""
    page = await patron.submit(await patron.get("/setting"), "/setting/calendar", **fields)
    assert page.status == 200, page.text
    return address(page)


def address(page: Page) -> str:
    """Return the path of the feed that My Setting shows, once to copy and once to open."""
    [webcal] = [link for link in page.links if link.startswith("webcal://")]
    host, slash, path = webcal.removeprefix("webcal://").partition("/")
    assert f'value="http://{host}/{path}"' in page.html
    return slash + path


async def read(site: Api, path: str, **headers: str) -> Answer:
    return await site.call("GET", path, at=NOW, headers=headers)


def entries(answer: Answer) -> dict[str, Component]:
    """Return the entries of a feed by id, as a program reads them."""
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    read_back = Calendar.from_ical(answer.body)
    found = {str(entry["uid"]): entry for entry in read_back.walk("VEVENT")}
    assert not any(entry.errors for entry in found.values())
    assert all({"UID", "DTSTAMP", "DTSTART", "SUMMARY"} <= set(entry) for entry in found.values())
    return found


async def test_the_feed_has_all_that_is_due_or_booked_without_titles(
    site: Api, patron: Browser, account: str
) -> None:
    answer = await read(site, await made(patron))
    found = entries(answer)
    assert {
        key: (entry.decoded("dtstart"), entry.decoded("dtend", None))
        for key, entry in found.items()
    } == {
        "loan-loan-1": (date(2021, 2, 15), date(2021, 2, 16)),
        "hold-hold-2": (date(2021, 2, 18), date(2021, 2, 19)),
        "registration-reg-1": (
            datetime.fromisoformat("2021-02-20T11:00:00Z"),
            datetime.fromisoformat("2021-02-20T12:30:00Z"),
        ),
        "registration-reg-2": (datetime.fromisoformat("2021-02-21T11:00:00Z"), None),
        "admission-application-1": (date(2021, 3, 15), date(2021, 5, 21)),
        "booking-booking-1": (
            datetime.fromisoformat("2021-02-11T01:00:00Z"),
            datetime.fromisoformat("2021-02-11T05:00:00Z"),
        ),
    }
    said = {key: (str(entry["summary"]), str(entry["status"])) for key, entry in found.items()}
    assert said == {
        "loan-loan-1": ("歸還圖書館資料", "CONFIRMED"),
        "hold-hold-2": ("領取預約資料的最後一日", "CONFIRMED"),
        "registration-reg-1": ("講座", "CONFIRMED"),
        "registration-reg-2": ("候補名單：講座", "TENTATIVE"),
        "admission-application-1": ("自修室：入座證有效", "CONFIRMED"),
        "booking-booking-1": ("自修室：您已預訂的時段", "CONFIRMED"),
    }
    assert str(found["registration-reg-1"]["location"]) == "演講廳, 中央圖書館"
    for secret in (b"Harbour", "維港燈飾".encode(), b"barcode", account.encode(), CARD.encode()):
        assert secret not in answer.body


async def test_titles_are_shown_only_if_the_patron_chose_them(
    site: Api, patron: Browser, account: str
) -> None:
    found = entries(await read(site, await made(patron, with_titles="yes")))
    assert str(found["loan-loan-1"]["summary"]) == "歸還：Harbour; Lights, 2"
    assert str(found["registration-reg-1"]["summary"]) == "維港燈飾"


async def test_a_change_raises_the_sequence_of_the_same_entry(
    site: Api, patron: Browser, account: str, hear: Hear
) -> None:
    path = await made(patron)
    before = entries(await read(site, path))
    moved: dict[str, Any] = {"due_on": date(2021, 3, 1), "patron_id": account}
    await hear(samples.loan(circulation.LoanRenewed, 2, **moved))
    await hear(
        samples.activity(
            "talk-2", 3, kind=events.ActivityRescheduled, starts_at="2021-02-23T11:00:00Z"
        )
    )
    after = entries(await read(site, path))
    assert set(after) == set(before)
    raised = {
        key: after[key].decoded("sequence") - before[key].decoded("sequence") for key in before
    }
    assert raised == dict.fromkeys(before, 0) | {"loan-loan-1": 1, "registration-reg-2": 2}
    assert after["loan-loan-1"].decoded("dtstart") == date(2021, 3, 1)
    assert after["loan-loan-1"].decoded("dtstamp") >= before["loan-loan-1"].decoded("dtstamp")


async def test_ended_and_cancelled_items_leave_the_feed(
    site: Api, patron: Browser, account: str, hear: Hear
) -> None:
    path = await made(patron)
    mine = {"patron_id": account}
    await hear(samples.returned(2, **mine))
    await hear(
        samples.activity("talk-1", 2, kind=events.ActivityCancelled, cancelled=True, reason="Rain")
    )
    await hear(
        samples.registration(events.RegistrationCancelled, 2, "reg-2", state="cancelled", **mine)
    )
    assert set(entries(await read(site, path))) == {
        "hold-hold-2",
        "admission-application-1",
        "booking-booking-1",
    }


async def test_an_unchanged_feed_is_not_sent_again(
    site: Api, patron: Browser, account: str, hear: Hear
) -> None:
    path = await made(patron)
    first = await read(site, path)
    tag = {"If-None-Match": first.headers["ETag"]}
    again = await read(site, path, **tag)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["Cache-Control"] == "private, no-cache"
    await hear(samples.returned(2, patron_id=account))
    assert (await read(site, path, **tag)).status == 200


async def test_a_renewed_and_an_ended_link_stop_at_once_on_every_replica(
    site: Api, patron: Browser, account: str, accounts: Api, settings: Settings
) -> None:
    told = reaching(settings.model_copy(update=SECRETS), accounts=accounts.url)
    async with served(create_app, told, trust_test_keys=False) as other:
        first = await made(patron)
        assert [(await read(api, first)).status for api in (site, other)] == [200, 200]
        second = await made(patron)
        assert [(await read(api, first)).status for api in (site, other)] == [404, 404]
        assert [(await read(api, second)).status for api in (site, other)] == [200, 200]
        page = await patron.submit(await patron.get("/setting"), "/setting/calendar/ending")
        assert not [link for link in page.links if link.startswith("webcal:")]
        assert [(await read(api, second)).status for api in (site, other)] == [404, 404]


async def test_an_erasure_ends_the_feed(
    site: Api, patron: Browser, account: str, hear: Hear, accounts: Api
) -> None:
    path = await made(patron)
    erased = {"patron_id": account, "status": "erased", "card_digest": ""}
    await hear(samples.patron(said_by_accounts.PatronErased, 9, **erased))
    assert entries(await read(site, path)) == {}
    await accounts.app.state.database.cardholders.delete_one({"_id": account})
    assert (await read(site, path)).status == 404


@pytest.mark.parametrize("secret", ["x", "x.y", "%F0%9F%93%9A", "a" * 200])
async def test_an_unknown_secret_is_not_found(site: Api, secret: str) -> None:
    answer = await read(site, f"/v1/calendars/{secret}.ics")
    assert (answer.status, answer.json()["code"]) == (404, "no-such-calendar")


async def test_guesses_from_one_address_are_limited(
    settings: Settings, accounts: Api, whole: None
) -> None:
    few = settings.model_copy(update={**SECRETS, "limits": {**LIMITS, "address": 20}})
    async with served(create_app, reaching(few, accounts=accounts.url)) as api:
        found = [(await read(api, f"/v1/calendars/{n}.ics")).status for n in range(60)]
    assert set(found) == {404, 429}


async def test_the_feed_says_that_accounts_is_away(lone_site: Api) -> None:
    assert (await read(lone_site, "/v1/calendars/x.ics")).status == 503


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    """The log lines of the chassis about requests."""
    capture = LogCapture()
    every_level = structlog.make_filtering_bound_logger(0)
    told = structlog.wrap_logger(None, processors=[capture], wrapper_class=every_level)
    monkeypatch.setattr(middleware, "log", told)
    return capture


async def test_no_log_line_or_metric_has_the_secret(
    site: Api, patron: Browser, account: str, logged: LogCapture
) -> None:
    path = await made(patron)
    await read(site, path)
    digest = path.partition(".")[2].removesuffix(".ics")
    metrics = await site.operations("/metrics")
    routes = {entry.get("route") for entry in logged.entries}
    assert "/v1/calendars/{secret}.ics" in routes
    for text in (str(logged.entries), metrics.body.decode()):
        assert digest not in text
    assert b'route="/v1/calendars/{secret}.ics"' in metrics.body
