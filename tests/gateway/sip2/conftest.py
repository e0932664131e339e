"""A whole system with stations of several kinds, and a station of a library that has logged in."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest

from ops.direct import add_account
from ops.infrastructure import ports
from ops.infrastructure.processes import System
from services.accounts.cardholders.rules import StaffRole
from services.accounts.settings import Settings as AccountsSettings
from tests.gateway.sip2.station import Station, station
from tests.library import PIN, Library
from tests.mail_server import certificate
from tests.systems import started_system

STATIONS = """
[KIOSK-LATIN]
encoding = "latin-1"
[KIOSK-850]
encoding = "cp850"
[KIOSK-ENGLISH]
encoding = "ascii"
[KIOSK-437]
encoding = "cp437"
[KIOSK-CONTACT]
shows = ["name", "contact"]
[SHOP-CONTACT]
shows = ["name", "contact"]
[KIOSK-ALL]
hold_count = "all"
institution = "HKPL"
library = "Central"
till = "kiosk"
channel = "book-drop"
bins = {hold = "1", other = "3"}
"""
"""Stations with settings of their own; all others have the usual ones."""


@pytest.fixture(scope="package")
def tls_port() -> Iterator[int]:
    port = ports.reserve(None)
    yield port
    ports.release(port)


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory, tls_port: int) -> Iterator[System]:
    """Database, broker, the five services and a second listener, for all tests of stations."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    _, chain = certificate(folder)
    stations = {"CARREL_SIP2_STATIONS": STATIONS}
    own = {
        "CARREL_SIP2_TLS_PORT": str(tls_port),
        "CARREL_SIP2_CERTIFICATE_FILE": str(chain),
        "CARREL_SIP2_KEY_FILE": str(folder / "key.pem"),
    }
    with started_system(
        tmp_path_factory,
        replicas={"gateway": 2},
        environment={"gateway": stations, "gateway-0": own},
    ) as started:
        yield started


async def heard_of(library: Library) -> str:
    """Return the code of a library that circulation has heard of, because it has lent something."""
    code = await library.branch()
    await library.lend(await library.patron(code), await library.copies(code, 1), code)
    return code


@pytest.fixture
async def branch(library: Library) -> str:
    return await heard_of(library)


@pytest.fixture
async def kiosk(library: Library, branch: str) -> AsyncIterator[Station]:
    """A station that has logged in."""
    name = await library.hire("station")
    async with station(library.system.sip2_port) as opened:
        assert await opened.ask("93", "00", CN=name, CO=PIN, CP=branch) == "941"
        yield opened


async def hired(library: Library, name: str, role: str = "station") -> str:
    """Add an account with a name of STATIONS, and return the name."""
    settings = library.system.settings(AccountsSettings)
    await add_account(settings, name, PIN, name, cast(StaffRole, role))
    return name
