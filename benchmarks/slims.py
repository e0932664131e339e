"""Check-outs and returns of Carrel beside those of SLiMS 9, in turns in one run.

    .venv/bin/python -m benchmarks.slims --sources FOLDER [--rounds 5] [--json]

FOLDER has the sources of SLiMS 9 (slims/slims9_bulian on GitHub). What it runs on has to be
installed: mariadbd, PHP-FPM with its modules for MySQL, images, `mbstring`, `intl` and XML, and
nginx; in Debian the packages `mariadb-server php-fpm php-mysql php-gd php-mbstring php-intl php-xml
nginx-light`. This program starts them with settings and data of their own, on 127.0.0.1.

A check-out takes three requests to SLiMS: begin with a member, add a copy, finish. Its page sends
six, since it shows the loans between them. A return takes one, and from the page two. Both forms
are measured. Each librarian of SLiMS has a session of their own, Carrel's share one token. The
tables are MyISAM's, as SLiMS installs them. After each round its table of loans is counted.
"""

import asyncio
import os
import pwd
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import aiohttp

from benchmarks.at_rest import processor_seconds, seconds_of
from benchmarks.desk import (
    COMMANDS,
    COPIES_OF_TITLE,
    PATRONS,
    TITLES,
    Desk,
    Loan,
    Processor,
    timed,
)
from benchmarks.show import options, running, show
from ops.infrastructure import ports
from ops.infrastructure.child import Child, start_all, stop_all
from ops.infrastructure.processes import System
from shared.mongo import Document
from tests.library import Library

PASSWORD = "of this benchmark"  # noqa: S105 - of a database that ends with it
WHERE = ("/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin")
CIRCULATION = "admin/modules/circulation"
TOKEN = re.compile(r'name="([^"]*csrf[^"]*)" value="([^"]+)"')


@dataclass(frozen=True)
class Slims:
    """A running SLiMS with members and copies."""

    url: str
    socket: Path
    children: Sequence[Child]
    loans: list[Loan]

    def processor(self) -> Mapping[str, float]:
        """Return the processor time that each part has taken, with its children, in seconds."""
        return {
            child.name: sum(seconds_of(pid) for pid in _family(child.pid))
            for child in self.children
            if child.pid is not None
        }

    def on_loan(self) -> int:
        """Return how many copies are on loan by its own table."""
        return int(
            _sql(self.socket, "SELECT COUNT(*) FROM slims.loan WHERE is_lent=1 AND is_return=0")
        )


class Librarians:
    """Sessions of the staff of SLiMS; each call takes one that is free."""

    def __init__(self, url: str, *, as_browser: bool) -> None:
        self._url = url
        self._as_browser = as_browser
        self._free: list[aiohttp.ClientSession] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for _ in range(max(COMMANDS)):
            jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, not of a name
            session = await self._stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            await self._log_in(session)
            self._free.append(session)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def check_out(self, loan: Loan) -> None:
        """Lend a copy to a member."""
        card, barcode = loan
        session = self._free.pop()
        action = f"{CIRCULATION}/circulation_action.php"
        await self._post(session, action, memberID=card)
        if self._as_browser:
            await self._get(session, f"{CIRCULATION}/loan.php")
        await self._post(session, action, tempLoanID=barcode)
        if self._as_browser:
            await self._get(session, f"{CIRCULATION}/loan.php")
        await self._post(session, action, finish="true")
        if self._as_browser:
            await self._post(session, f"{CIRCULATION}/index.php", finishID=card)
        self._free.append(session)

    async def take_back(self, loan: Loan) -> None:
        """Return a copy by its barcode."""
        session = self._free.pop()
        if self._as_browser:
            await self._post(session, f"{CIRCULATION}/ajax_action.php", quickReturnID=loan[1])
        action = f"{CIRCULATION}/circulation_action.php"
        await self._post(session, action, quickReturnID=loan[1])
        self._free.append(session)

    async def _log_in(self, session: aiohttp.ClientSession) -> None:
        page = await self._get(session, "index.php?p=login")
        token = TOKEN.search(page)
        if token is None:
            raise RuntimeError(f"no form to log in at {self._url}: {page[:300]}")
        who = {"userName": "admin", "passWord": PASSWORD, "logMeIn": "Login"}
        answer = await self._post(session, "index.php?p=login", **who, **{token[1]: token[2]})
        if "logout" not in answer:
            raise RuntimeError(f"the librarian could not log in: {answer[:300]}")

    async def _get(self, session: aiohttp.ClientSession, path: str) -> str:
        async with session.get(f"{self._url}/{path}") as answer:
            answer.raise_for_status()
            return await answer.text()

    async def _post(self, session: aiohttp.ClientSession, path: str, **form: str) -> str:
        async with session.post(f"{self._url}/{path}", data=form) as answer:
            answer.raise_for_status()
            return await answer.text()


async def measure(running: System, slims: Slims, rounds: int) -> Document:
    """Measure both in turns; return the medians of the rounds, by command and by librarians."""
    every: defaultdict[str, list[Document]] = defaultdict(list)
    async with (
        Library(running) as library,
        Librarians(slims.url, as_browser=False) as least,
        Librarians(slims.url, as_browser=True) as browser,
    ):
        desk = await Desk.opened(library, PATRONS, TITLES, COPIES_OF_TITLE)
        everyone: dict[str, tuple[Desk | Librarians, list[Loan], Processor]] = {
            "Carrel": (desk, desk.loans, partial(processor_seconds, running)),
            "SLiMS, least": (least, slims.loans, slims.processor),
            "SLiMS, browser": (browser, slims.loans, slims.processor),
        }
        for number in range(rounds + 1):  # the first round warms up
            names = list(everyone) if number % 2 else list(everyone)[::-1]
            for librarians, count in COMMANDS.items():
                for name in names:
                    who, loans, processor = everyone[name]
                    for kind, call in (("check-out", who.check_out), ("return", who.take_back)):
                        found = await timed(processor, call, loans[:count], librarians)
                        _expect(slims, name, count if kind == "check-out" else 0)
                        if number:
                            every[f"{kind}, {librarians}: {name}"].append(found)
    return {
        name: {
            key: round(statistics.median(one[key] for one in found), 1)
            for key in ("per_second", "median_ms", "processor_ms")
        }
        for name, found in every.items()
    }


def _expect(slims: Slims, name: str, count: int) -> None:
    if name != "Carrel" and (found := slims.on_loan()) != count:
        raise RuntimeError(f"SLiMS has {found} copies on loan instead of {count}")


@contextmanager
def started(source: Path, folder: Path) -> Iterator[Slims]:
    """Install a SLiMS in a folder and run it, with the members and copies of `benchmarks.desk`."""
    site = folder / "site"
    shutil.copytree(source, site, ignore=shutil.ignore_patterns(".git"))
    children = [_mariadb(folder), _php(folder), _nginx(folder, site)]
    try:
        start_all(children)
        database, _, server = children
        loans = _fill(folder / "mariadb.sock", site, database.port)
        url = f"http://{ports.LOOPBACK}:{server.port}"
        yield Slims(url, folder / "mariadb.sock", children, loans)
    finally:
        stop_all(children)
        for child in children:
            ports.release(child.port)


def _mariadb(folder: Path) -> Child:
    data, port = folder / "mariadb", ports.reserve()
    common = ["--no-defaults", f"--datadir={data}", f"--user={_user()}"]
    subprocess.run(  # noqa: S603
        [_program("mariadb-install-db"), *common, "--auth-root-authentication-method=normal"],
        check=True,
        capture_output=True,
    )
    path = folder / "mariadb.sock"
    command = [
        _program("mariadbd"),
        *common,
        f"--socket={path}",
        f"--port={port}",
        f"--bind-address={ports.LOOPBACK}",
        f"--pid-file={folder / 'mariadbd.pid'}",
    ]
    return Child("mariadbd", command, folder / "mariadbd.log", lambda: _listens(path), port)


def _php(folder: Path) -> Child:
    sessions, path, settings = folder / "sessions", folder / "php.sock", folder / "php-fpm.conf"
    sessions.mkdir()
    settings.write_text(
        f"[global]\nerror_log = {folder / 'php-fpm.errors'}\n"
        f"[www]\nuser = {_user()}\ngroup = {_user()}\nlisten = {path}\n"
        f"pm = static\npm.max_children = {max(COMMANDS)}\n"
        f"php_admin_value[session.save_path] = {sessions}\n"
    )
    command = [_program("php-fpm*"), "--nodaemonize", "--fpm-config", str(settings)]
    if os.geteuid() == 0:
        command.append("--allow-to-run-as-root")
    return Child("php-fpm", command, folder / "php-fpm.log", lambda: _listens(path), 0)


def _nginx(folder: Path, site: Path) -> Child:
    settings, port = folder / "nginx.conf", ports.reserve()
    temporary = "".join(
        f"{name}_temp_path {folder / name};"
        for name in ("client_body", "fastcgi", "proxy", "uwsgi")
    )
    settings.write_text(
        f"daemon off; pid {folder / 'nginx.pid'}; user {_user()}; worker_processes 1;\n"
        "events { worker_connections 256; }\n"
        f"http {{ access_log off; {temporary}\n"
        "include /etc/nginx/mime.types;\n"
        f"server {{ listen {ports.LOOPBACK}:{port}; root {site}; index index.php;\n"
        "location ~ \\.php$ { include /etc/nginx/fastcgi_params;\n"
        "fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;\n"
        f"fastcgi_pass unix:{folder / 'php.sock'}; fastcgi_buffers 64 16k; }} }} }}\n"
    )
    command = [_program("nginx"), "-c", str(settings), "-e", str(folder / "nginx.errors")]
    return Child("nginx", command, folder / "nginx.log", lambda: _listens(port), port)


def _fill(path: Path, site: Path, port: int) -> list[Loan]:
    """Make the tables, members and copies, and tell the site of its database."""
    _sql(path, "CREATE DATABASE slims")
    _sql(path, (site / "install" / "senayan_ddl.sql").read_text(), "slims")
    cards = [f"M{number:04}" for number in range(PATRONS)]
    barcodes = [f"B{number:05}" for number in range(TITLES * COPIES_OF_TITLE)]
    members = ", ".join(
        f"('{card}', 'Member {card}', 1, 1, CURDATE(), '2099-12-31')" for card in cards
    )
    titles = ", ".join(f"({number + 1}, 1, 'Title {number}')" for number in range(TITLES))
    items = ", ".join(
        f"({number % TITLES + 1}, 1, '{code}', 'SL', '0', NOW())"
        for number, code in enumerate(barcodes)
    )
    user = f"slims@'{ports.LOOPBACK}'"
    statements = [
        f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON slims.* TO {user};",
        f"UPDATE user SET passwd = MD5('{PASSWORD}');",  # noqa: S608 - a constant
        "UPDATE mst_member_type SET loan_limit = 100;",
        "INSERT INTO member",
        "(member_id, member_name, gender, member_type_id, register_date, expire_date) VALUES",
        members,
        "; INSERT INTO biblio (biblio_id, gmd_id, title) VALUES",
        titles,
        "; INSERT INTO item",
        "(biblio_id, coll_type_id, item_code, location_id, item_status_id, input_date) VALUES",
        items,
    ]
    _sql(path, " ".join(statements), "slims")
    values = {"HOST": ports.LOOPBACK, "PORT": str(port), "NAME": "slims", "USER": "slims"}
    values = {f"_DB_{name}_": value for name, value in values.items()}
    values |= {"_DB_PASSWORD_": PASSWORD, "_STORAGE_ENGINE_": "MyISAM"}
    _configure(site, "database", values)
    mode = {"<environment>": "production", "<conditional_environment>": "production"}
    _configure(site, "env", {**mode, "'<based_on_ip>'": "false", "<ip_range>": ""})
    return [(cards[number % PATRONS], code) for number, code in enumerate(barcodes)]


def _configure(site: Path, name: str, values: Mapping[str, str]) -> None:
    """Write a file of settings from its sample."""
    text = (site / "config" / f"{name}.sample.php").read_text()
    for marker, value in values.items():
        text = text.replace(marker, value)
    (site / "config" / f"{name}.php").write_text(text)


def _sql(path: Path, statements: str, database: str = "") -> str:
    command = [_program("mariadb"), "--no-defaults", f"--socket={path}", "--user=root", "-BN"]
    done = subprocess.run(  # noqa: S603
        [*command, database][: len(command) + bool(database)],
        input=statements,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"MariaDB refused a statement: {done.stderr}")
    return done.stdout.strip()


def _program(pattern: str) -> str:
    """Return the path of an installed program. Raises SystemExit if there is none."""
    found = [str(path) for folder in WHERE for path in sorted(Path(folder).glob(pattern))]
    if not found:
        raise SystemExit(f"{pattern} is not installed: see the text of benchmarks/slims.py")
    return found[-1]


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _listens(where: Path | int) -> bool:
    family = socket.AF_INET if isinstance(where, int) else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        address = (ports.LOOPBACK, where) if isinstance(where, int) else str(where)
        return probe.connect_ex(address) == 0


def _family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def main() -> None:
    """Start both systems, measure and print."""
    asked = options(rounds=5, sources=Path("slims9_bulian"))
    if not (asked.sources / "sysconfig.inc.php").is_file():
        raise SystemExit(f"{asked.sources} has no sources of SLiMS 9: sysconfig.inc.php is missing")
    with (
        tempfile.TemporaryDirectory() as folder,
        started(asked.sources, Path(folder)) as slims,
        running() as measured,
    ):
        show(asyncio.run(measure(measured, slims, asked.rounds)), as_json=asked.json)


if __name__ == "__main__":
    main()
