"""The devices in My Setting, with real notices and accounts behind the page."""

from collections.abc import AsyncIterator

import pytest

from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.app import create_app
from services.gateway.web.account.settings import device_name
from services.gateway.web.files import address
from services.gateway.web.session import SESSION
from services.notices.app import create_app as create_notices
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from tests.device import VAPID, subscribed
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.conftest import SECRETS
from tests.gateway.web.test_deliveries import MEI, STAFF
from tests.support import reaching, served, token

CHROME = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"


@pytest.fixture
async def sites(whole: None, settings: Settings) -> AsyncIterator[list[Browser]]:
    """Mei's browsers, logged in: on a library with keys for devices, and on one without."""
    told = settings.model_copy(update=SECRETS)
    plain = told.model_dump()
    async with (
        served(create_accounts, AccountsSettings(**plain)) as accounts,
        served(create_notices, NoticesSettings(**plain | VAPID)) as notices,
        served(create_notices, NoticesSettings(**plain)) as without,
        served(create_app, reaching(told, accounts=accounts.url, notices=notices.url)) as site,
        served(create_app, reaching(told, accounts=accounts.url, notices=without.url)) as other,
        Browser(site.url) as browser,
        Browser(other.url) as plain_browser,
    ):
        mei = (await accounts.post("/v1/patrons", MEI, as_=STAFF)).json()["id"]
        for each in (browser, plain_browser):
            each.give(SESSION, token(mei, ["patron"]))
        yield [browser, plain_browser]


async def test_a_device_is_listed_until_the_patron_stops_it(sites: list[Browser]) -> None:
    mei, _ = sites
    page = await insist(lambda: mei.get("/setting?lang=en"))
    assert "No device shows your messages yet." in page.text
    body = subscribed("mei")
    added = await mei.submit(
        page,
        "/setting/devices",
        **{name: body[name] for name in ("endpoint", "p256dh", "auth")},
    )
    assert "This device shows your messages from now on." in added.text
    [form] = [one.action for one in added.forms if one.action.endswith("/removal")]
    gone = await mei.submit(added, form)
    assert "Stopped. The device shows no more messages." in gone.text
    assert "No device shows your messages yet." in gone.text


async def test_a_bad_subscription_is_explained(sites: list[Browser]) -> None:
    mei, _ = sites
    page = await insist(lambda: mei.get("/setting?lang=en"))
    typed = {"endpoint": "https://10.0.0.1/a", "p256dh": "A", "auth": "B"}
    refused = await mei.submit(page, "/setting/devices", **typed)
    assert "Your browser's subscription can't be used." in refused.text


async def test_without_keys_the_page_has_nothing_about_devices(sites: list[Browser]) -> None:
    _, plain = sites
    page = await insist(lambda: plain.get("/setting?lang=en"))
    assert page.status == 200
    assert "Notify this device" not in page.html
    assert "push.js" not in page.html


async def test_the_worker_may_serve_all_pages(sites: list[Browser]) -> None:
    mei, _ = sites
    worker = await mei.get(address("patron-worker.js"))
    assert worker.status == 200
    assert worker.headers["service-worker-allowed"] == "/"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME, "Chrome, Android"),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
            "Firefox, Linux",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/126.0 Safari/537.36 Edg/126.0", "Edge, Windows"),
        ("curl/8.0", "curl/8.0"),
        ("", "?"),
    ],
)
def test_a_device_has_the_name_of_its_browser_and_system(user_agent: str, name: str) -> None:
    assert device_name(user_agent) == name
