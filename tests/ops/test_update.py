"""Updates from earlier releases, one service after the other, while the library lends.

An earlier release runs from its own files in the history of this repository, with today's
libraries.
"""

import asyncio
import http.client
import io
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from ops.environment import missing_secrets, variables_of
from ops.infrastructure import ports
from ops.infrastructure.child import Child, start_all, stop_all
from ops.infrastructure.embedded import embedded
from services.registry import NAMES
from tests.support import Client, until
from tests.systems import data_folder

ROOT = Path(__file__).parents[2]
FIRST = "51913f80015bbe87b38e0bf3f8ecf3b470d19221"
"""A release in which services log in with CARREL_SERVICE_SECRET, and tokens have no type."""
NEWEST = "98ad5816"
"""The release before this one."""
ORDER = ("accounts", "circulation", "notices")
"""The order of docs/install.md, without the services that have no part in a check-out."""
PIN = "864297"
HOURS = [{"weekday": day, "opens": "09:00", "closes": "20:00"} for day in range(1, 7)]
"""Days of which both the first release and this one have the numbers."""

_RUN = """
import os, runpy, sys
os.chdir({folder!r})
sys.path[0] = {folder!r}
sys.path.append({libraries!r})
sys.argv = ["carrel", *{arguments!r}]
runpy.run_module("ops", run_name="__main__")
"""


def carrel(folder: Path, *arguments: str) -> list[str]:
    """Return a `carrel` command of the release in a folder: `-S` hides the present one."""
    libraries = sysconfig.get_paths()["purelib"]
    code = _RUN.format(folder=str(folder), libraries=libraries, arguments=arguments)
    return [sys.executable, "-S", "-c", code]


def release(commit: str, folder: Path) -> Path:
    """Return a folder with the files of an earlier release."""
    files = folder / commit
    files.mkdir()
    parts = ("services", "shared", "ops", "contracts")
    archive = ["-C", str(ROOT), "archive", "--format=zip", commit, *parts]
    git = shutil.which("git")
    made = subprocess.run([git, *archive], check=False, capture_output=True) if git else None
    if made is None or made.returncode:
        pytest.skip("needs the history of the repository, and git (on Debian: apt install git)")
    with zipfile.ZipFile(io.BytesIO(made.stdout)) as packed:
        packed.extractall(files)
    return files


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=2.0)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@dataclass
class Updated:
    """Services of an earlier release, to be replaced by those of this one."""

    folder: Path
    given: Mapping[str, str]
    """The environment of all services."""
    session: aiohttp.ClientSession
    running: dict[str, Child] = field(default_factory=dict)
    barcodes: int = 0
    token: str = ""
    """Token of a librarian."""

    def client(self, service: str) -> Client:
        return Client(self.given[f"CARREL_{service.upper()}_URL"], self.session)

    async def start(self, files: Path, *services: str) -> None:
        """Replace services by those of the release in a folder."""
        former = [self.running.pop(service) for service in services if service in self.running]
        await asyncio.to_thread(stop_all, former)
        for service in services:
            self.running[service] = self._child(files, service)
        await asyncio.to_thread(start_all, [self.running[service] for service in services])

    def _child(self, files: Path, service: str) -> Child:
        port = int(self.given[f"CARREL_{service.upper()}_URL"].rpartition(":")[2])
        operations = ports.reserve()
        former = {"CARREL_FORMER_SERVICE_SECRET": self.given["CARREL_SERVICE_SECRET"]}
        return Child(
            f"{service}-{files.name}",
            carrel(files, "serve", service),
            self.folder / f"{service}-{files.name}.log",
            lambda: is_ready(operations) or is_ready(port),
            port,
            {
                **self.given,
                **variables_of(self.given, service),
                **(former if service == "accounts" else {}),
                "CARREL_PORT": str(port),
                "CARREL_OPERATIONS_PORT": str(operations),
            },
        )

    async def log_in(self, card: str = "S0001") -> str:
        body = {"card_number": card, "pin": PIN}
        answer = await self.client("accounts").insist("POST", "/v1/sessions", body, within=20)
        assert answer.status == 200, answer.body
        return str(answer.json()["access_token"])

    async def register(self, card: str) -> None:
        body = {
            "card_number": card,
            "pin": PIN,
            "name": "P",
            "category": "adult",
            "language": "en",
            "home_branch": "B1",
        }
        answer = await self.client("accounts").insist(
            "POST", "/v1/patrons", body, as_=self.token, within=20
        )
        assert answer.status == 201, answer.body

    async def lends(self, card: str) -> bool:
        """Check a copy out; return False for a branch or copy that circulation has not heard of."""
        self.barcodes += 1
        body = {"card_number": card, "barcodes": [f"K{self.barcodes:04}"], "branch": "B1"}
        answer = await self.client("circulation").insist(
            "POST", "/v1/checkouts", body, as_=self.token, within=20
        )
        assert answer.status in (200, 404), answer.body
        return answer.status == 200 and bool(answer.json()["results"][0]["ok"])


@pytest.fixture(params=[FIRST, NEWEST], ids=["first", "newest"])
async def updated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Updated]:
    """The services of an earlier release, with a branch, copies and a patron who borrows."""
    with (
        data_folder(tmp_path_factory) as folder,
        embedded(folder, mongo_port=None, kafka_port=None) as infrastructure,
    ):
        given = {
            "CARREL_MONGO_URL": infrastructure.mongo_url,
            "CARREL_KAFKA": infrastructure.kafka,
            **infrastructure.service_environment,
            **{
                f"CARREL_{service.upper()}_URL": f"http://{ports.LOOPBACK}:{ports.reserve()}"
                for service in NAMES
            },
            "CARREL_SERVICE_SECRET": "the secret of an earlier release",
            "CARREL_CARD_KEY": "the card key of an earlier release",
        }
        # Earlier releases need the address of an operator for the key of messages to devices.
        given |= missing_secrets(given) | {"CARREL_VAPID_SUBJECT": "mailto:library@example.org"}
        files = release(request.param, folder)
        async with aiohttp.ClientSession() as session:
            library = Updated(folder, given, session)
            try:
                await library.start(files, *ORDER)
                await furnish(library, files)
                yield library
            finally:
                await asyncio.to_thread(stop_all, list(library.running.values()))


async def furnish(library: Updated, files: Path) -> None:
    await asyncio.to_thread(
        subprocess.run,
        carrel(files, "staff", "add", "S0001", "--role", "staff", "--pin-stdin"),
        env={**library.given, **variables_of(library.given, "accounts")},
        input=f"{PIN}\n".encode(),
        check=True,
    )
    library.token = await library.log_in()
    branch = {"code": "B1", "name": "Library", "kind": "central", "hours": HOURS}
    title = {
        "title": "T",
        "authors": ["A. Author"],
        "kind": "book",
        "copies": [
            {"barcode": f"K{number:04}", "category": "adult", "branch": "B1"}
            for number in range(1, 100)
        ],
    }
    for service, path, body in (
        ("notices", "/v1/branches", branch),
        ("circulation", "/v1/titles", title),
    ):
        answer = await library.client(service).insist("POST", path, body, as_=library.token)
        assert answer.status == 201, answer.body
    await library.register("C0000")
    await until(lambda: library.lends("C0000"))


async def test_an_update_in_its_order_refuses_no_check_out(updated: Updated) -> None:
    """Also of patrons who register between the update of accounts and that of circulation."""
    for number, service in enumerate(ORDER, 1):
        await updated.start(ROOT, service)
        for earlier in range(number):
            assert await updated.lends(f"C000{earlier}"), "with the token from before"
        updated.token = await updated.log_in()
        await updated.register(f"C000{number}")
        assert await updated.lends(f"C000{number}")
