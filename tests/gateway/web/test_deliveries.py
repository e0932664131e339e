"""The desk page of e-mails to readers, with real notices and accounts behind it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.app import create_app
from services.gateway.web.session import SESSION
from services.notices.app import create_app as create_notices
from services.notices.channels.rules.deliveries import bounced, delivery_of, sent
from services.notices.patrons.rules import notification
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from shared.mongo import to_document
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.conftest import SECRETS
from tests.support import reaching, served, token

AT = datetime(2021, 2, 26, 2, tzinfo=UTC)
MEI = {
    "card_number": "HK0009",
    "pin": "593817",
    "name": "Chan Mei-ling",
    "category": "adult",
    "home_branch": "HKCL",
    "language": "zh-Hant",
    "contact": {"email": "mei@example.org"},
}
STAFF = token("staff-1", ["staff"])


@pytest.fixture
async def desk(whole: None, settings: Settings) -> AsyncIterator[Browser]:
    """A librarian's browser; 25 e-mails to Mei were refused, and one to an erased patron sent."""
    told = settings.model_copy(update=SECRETS)
    async with (
        served(create_accounts, AccountsSettings(**told.model_dump())) as accounts,
        served(create_notices, NoticesSettings(**told.model_dump())) as notices,
        served(create_app, reaching(told, accounts=accounts.url, notices=notices.url)) as site,
        Browser(site.url) as browser,
    ):
        mei = (await accounts.post("/v1/patrons", MEI, as_=STAFF)).json()["id"]
        deliveries = notices.app.state.database.deliveries
        for number in range(25):
            at = AT + timedelta(minutes=number)
            one = delivery_of(notification(f"e-{number}", mei, "hold.ready", at, {}), at)
            await deliveries.insert_one(to_document(bounced(one, at, code=550)))
        told_before = notification("e-25", "gone", "loan.overdue", AT, {})
        await deliveries.insert_one(
            to_document(sent(delivery_of(told_before, AT - timedelta(days=1)), AT))
        )
        browser.give(SESSION, STAFF)
        yield browser


async def test_staff_see_which_emails_were_refused_and_to_whom_but_no_address(
    desk: Browser,
) -> None:
    page = await insist(lambda: desk.get("/desk/deliveries?state=bounced&lang=en"))
    assert page.status == 200
    assert page.text.count("Chan Mei-ling (HK0009)") == 20
    assert "Refused: the mail server does not accept the address (550)" in page.text
    assert "Reservation" in page.text
    assert "mei@example.org" not in page.html
    assert "More messages" in page.text


async def test_the_list_shows_further_emails_and_those_of_erased_patrons(desk: Browser) -> None:
    first = await insist(lambda: desk.get("/desk/deliveries?lang=en"))
    [more] = [link for link in first.links if "after=" in link]
    second = await insist(lambda: desk.get(more))
    assert second.status == 200
    assert second.text.count("Chan Mei-ling (HK0009)") == 5
    assert "gone" in second.text
    assert "Sent" in second.text
    wrong = await desk.get("/desk/deliveries?after=x")
    assert wrong.status == 422
