"""The whole system with a small story and a browser, started once for all tests of the pages."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from pytest_asyncio import fixture

from ops.infrastructure import ports
from ops.infrastructure.processes import System
from tests import wallets
from tests.device import ENVIRONMENT
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider
from tests.library import Library
from tests.mail_server import MailServer, listening
from tests.systems import started_system
from tests.web.browser import Watch, Windows, headless_shell, launched
from tests.web.reader import Reader
from tests.web.routes import Driven, Way
from tests.web.story import Story, told


@pytest.fixture(scope="session")
def mail_port() -> Iterator[int]:
    """The port of the mail server."""
    port = ports.reserve()
    yield port
    ports.release(port)


@fixture(scope="session", loop_scope="session")
async def mail(mail_port: int) -> AsyncIterator[MailServer]:
    """The mail server to which the system sends."""
    async with listening(MailServer(port=mail_port)) as server:
        yield server


@pytest.fixture(scope="session")
def identity_provider() -> Iterator[IdentityProvider]:
    """The identity provider that the system knows; a test opens it."""
    port = ports.reserve()
    yield IdentityProvider(port)
    ports.release(port)


@pytest.fixture(scope="session")
def running(
    tmp_path_factory: pytest.TempPathFactory, mail_port: int, identity_provider: IdentityProvider
) -> Iterator[System]:
    """Database, broker and the five services on free ports; each call states its business time."""
    sending = {
        "CARREL_SMTP_HOST": "127.0.0.1",
        "CARREL_SMTP_PORT": str(mail_port),
        "CARREL_SMTP_SECURITY": "none",
        "CARREL_MAIL_FROM": "library@example.org",
        "CARREL_PUBLIC_URL": "https://library.example.org",
    }
    at_provider = {
        "CARREL_STAFF_ISSUER": identity_provider.issuer,
        "CARREL_STAFF_CLIENT_ID": CLIENT_ID,
        "CARREL_STAFF_CLIENT_SECRET": CLIENT_SECRET,
    }
    environment = {
        "accounts": at_provider,
        "gateway": {"CARREL_STAFF_LABEL": "City Hall", **wallets.keys().environment},
        "notices": {**ENVIRONMENT["notices"], **sending},
    }
    with started_system(tmp_path_factory, environment=environment) as started:
        yield started


@fixture(scope="session", loop_scope="session")
async def story(running: System) -> AsyncIterator[Story]:
    """A library whose story was set up through the public API."""
    async with Library(running) as library:
        yield await told(library)


@fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    async with launched(headless_shell()) as started:
        yield started


@fixture(loop_scope="session")
async def watch() -> AsyncIterator[Watch]:
    """A watch for errors in the test's windows, which fail the test at its end."""
    looking = Watch()
    yield looking
    assert looking.faults == []


@fixture(loop_scope="session")
async def windows(
    running: System, story: Story, browser: Browser, watch: Watch
) -> AsyncIterator[Windows]:
    """Open windows on the system: `page = await windows.open("zh-Hant", width=320)`."""
    async with Windows(browser, running.gateway_url, story.library, watch) as opened:
        yield opened


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path | None:
    """The folder of screenshots for people to look at; None in the gate, where nobody does."""
    if "CI" in os.environ:
        return None
    folder = request.config.rootpath / ".data" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def failed_before(request: pytest.FixtureRequest) -> int:
    """The number of tests that failed in this process before the file began."""
    return request.session.testsfailed


@pytest.fixture(scope="module")
def driven(failed_before: int) -> Driven:
    """A record of the routes that the journeys of the file have used."""
    return Driven()


@fixture(loop_scope="session")
async def reader(windows: Windows, driven: Driven, language: str, way: Way) -> Reader:
    """Return a reader with a new window, whose visits are recorded."""
    page = await windows.open(language, scripts=way != "no scripts")
    driven.over(page.context, way, language)
    return Reader(page, language, way)
