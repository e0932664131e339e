"""A gateway with real accounts behind it, and browsers that visit its pages."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ops.infrastructure.processes import System
from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.app import create_app
from services.settings import Settings
from shared.auth import Verifier
from tests.gateway.web.browser import Browser, insist
from tests.keys import CARD_KEY, DERIVING
from tests.support import PUBLIC_SERVICE_KEYS, SERVICE_KEYS, Api, reaching, served, test_keys, token
from tests.systems import started_system
from tests.warm import settings_of

SECRETS = {
    "service_secret": "between-us",
    "service_key": SERVICE_KEYS["gateway"],
}
CARD, PIN = "HK0001", "593817"


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Database, broker and the five services, for all tests of pages on a whole system."""
    with started_system(tmp_path_factory) as started:
        yield started


@pytest.fixture
def access_token_seconds() -> int:
    """Lifetime of an access token; a test that waits for renewals parametrizes it."""
    return 600


@pytest.fixture
async def accounts(settings: Settings, access_token_seconds: int) -> AsyncIterator[Api]:
    """Accounts, with one patron."""
    told = settings.model_copy(update=SECRETS).model_dump()
    own = settings_of(
        AccountsSettings,
        **told,
        card_key=CARD_KEY,
        **DERIVING,
        access_token_seconds=access_token_seconds,
        service_keys=PUBLIC_SERVICE_KEYS,
    )
    async with served(create_accounts, own, trust_test_keys=False) as api:
        verifier, api.app.state.verifier = api.app.state.verifier, Verifier(test_keys)
        body = {
            "card_number": CARD,
            "pin": PIN,
            "name": "Chan Mei-ling",
            "category": "adult",
            "home_branch": "HKCL",
            "language": "zh-Hant",
        }
        as_staff = token("staff-1", ["staff"])
        assert (await api.insist("POST", "/v1/patrons", body, as_=as_staff)).status == 201
        api.app.state.verifier = verifier
        yield api


@pytest.fixture
async def site(whole: None, settings: Settings, accounts: Api) -> AsyncIterator[Api]:
    """The gateway with its pages, which accepts the sessions that accounts opens."""
    told = reaching(settings.model_copy(update=SECRETS), accounts=accounts.url)
    async with served(create_app, told, trust_test_keys=False) as api:
        yield api


@pytest.fixture
async def lone_site(whole: None, settings: Settings) -> AsyncIterator[Api]:
    """The gateway with its pages and no owner, which accepts tokens of this test run."""
    async with served(create_app, settings.model_copy(update=SECRETS)) as api:
        yield api


@pytest.fixture
async def browser(site: Api) -> AsyncIterator[Browser]:
    """A browser on the gateway's pages."""
    async with Browser(site.url) as opened:
        yield opened


async def log_in(browser: Browser, card: str = CARD, pin: str = PIN) -> None:
    """Log in with the form, again while the system is too busy, as the page asks."""
    form = await insist(lambda: browser.get("/log-in"))
    page = await insist(lambda: browser.submit(form, "/log-in", card_number=card, pin=pin))
    assert page.path == "/", page.text
