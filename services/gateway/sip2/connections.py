"""The listener for stations: connections, retries, and the table of handlers.

A connection has one request at a time. Each wait has a limit, and so has each message, so that a
station that is silent, slow or broken costs a socket and nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog
from fastapi import FastAPI

from services.gateway.settings import Settings, Station
from services.gateway.sip2 import items, patrons
from services.gateway.sip2.api import Api, LoggedOut, StationAccounts
from services.gateway.sip2.messages import (
    END,
    MOST_BYTES,
    REQUESTS,
    Answer,
    Malformed,
    Request,
    date_of,
    decode,
    encode,
    resend,
    without_sequence,
)
from services.gateway.sip2.terminal import Terminal, refusal
from services.gateway.web.api import Failure
from services.gateway.web.station_words import NOT_ALLOWED, TRY_AGAIN
from shared.clock import wall_clock

log = structlog.get_logger()

MOST_CONNECTIONS = 2000
LOG_IN_SECONDS = 30.0
"""Time until a station has logged in."""
IDLE_SECONDS = 2 * 24 * 3600.0
"""Time between two messages: a station keeps its connection while the library is closed."""
MESSAGE_SECONDS = 10.0
"""Time from the first byte of a message to its end, and for its answer to leave."""
MOST_BLANKS = 16
"""Line ends and blanks between two messages."""
MOST_LOG_INS = 3
"""Refused log-ins of a connection."""
_OF_EVERYBODY = frozenset({"93", "99"})
"""Messages before the log-in. Discovery pages ask for 99 first."""
_OF_CHECKS = frozenset({"23", "35", "63", "93", "99"})
"""Messages of a service that only checks patrons."""
_SERVICES_OF_CHECKS = "YNNNYYYYYNNNNNNN"
_SERVICES = "YYYNYYYYYYYNNYYY"
"""Supported messages (BX): all but block, item status update and patron enable, which are answered
with the state as it is."""

Handler = Callable[[Terminal, Request], Awaitable[Answer]]


async def log_in(terminal: Terminal, request: Request) -> Answer:
    """Log the station in with its account."""
    terminal.name = ""
    encrypted = request.fixed["user_algorithm"] + request.fixed["secret_algorithm"] != "00"
    name = request.get("CN")
    if encrypted or not await terminal.api.log_in(name, request.get("CO")):
        return Answer()
    terminal.name = name
    terminal.station = _station(terminal.api.settings, name)
    terminal.branch = terminal.station.branch or request.get("CP")
    return Answer({"ok": "1"})


def _station(settings: Settings, name: str) -> Station:
    stations = settings.sip2_stations
    return stations.get(name) or stations.get("default") or Station()


async def system_status(terminal: Terminal, _request: Request) -> Answer:
    """Say what the system does for a station."""
    fixed = dict.fromkeys(("online", "returns", "lends", "renews", "offline"), "Y")
    fixed |= {"status_update": "N", "timeout": "100", "retries": "003", "version": "2.00"}
    named = [("AM", terminal.station.library or None), ("AN", terminal.branch or None)]
    services = _SERVICES
    if terminal.only_checks:
        services = _SERVICES_OF_CHECKS
        fixed |= dict.fromkeys(("returns", "lends", "renews", "offline"), "N")
    return Answer(fixed, [*named, ("BX", services)])


HANDLERS: Mapping[str, Handler] = {
    "01": patrons.status,
    "09": items.check_in,
    "11": items.check_out,
    "15": items.hold,
    "17": items.information,
    "19": items.item_status,
    "23": patrons.status,
    "25": patrons.status,
    "29": items.renew,
    "35": patrons.end_session,
    "37": patrons.pay,
    "63": patrons.information,
    "65": patrons.renew_all,
    "93": log_in,
    "99": system_status,
}


class Conversation:
    """The messages of one connection, and the answer that a station may ask for again."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._last = b""
        self._answer = b""
        self._refused = 0

    async def answer(self, line: bytes) -> bytes | None:
        """Return the answer to a message without its end; None: the connection is to end."""
        try:
            request = decode(line, self.terminal.station.encoding)
        except Malformed:
            return resend(checked=b"AZ" in line)
        if request.code == "97":
            return without_sequence(self._answer) if self._answer else resend(checked=True)
        if request.code not in _OF_EVERYBODY and not self.terminal.name:
            return None
        if not (request.sequence and line == self._last):
            self._last = line
            answer = await self._handled(request)
            if answer is None:
                return None
            self._answer = answer
        return self._answer

    async def _handled(self, request: Request) -> bytes | None:
        terminal, named = (
            self.terminal,
            [(name, request.get(name) or None) for name in ("AA", "AB")],
        )
        if terminal.api.settings.simulation:
            terminal.api.time = terminal.time_of(request).isoformat()
        terminal.language = request.fixed.get("language", terminal.language)
        try:
            if terminal.only_checks and request.code not in _OF_CHECKS:
                answer = refusal(NOT_ALLOWED, *named)
            else:
                answer = await HANDLERS[request.code](terminal, request)
        except LoggedOut:
            return None
        except Failure as failure:
            log.warning("sip2 message not done", message=request.code, code=failure.code)
            answer, self._last = refusal(TRY_AGAIN, *named), b""  # a retry is another try
        except Exception:
            log.exception("sip2 message failed", message=request.code)
            answer, self._last = refusal(TRY_AGAIN, *named), b""
        if request.code == "93" and self._last:  # not if the system could not tell
            self._refused = 0 if terminal.name else self._refused + 1
            if self._refused > MOST_LOG_INS:
                return None
        institution = terminal.station.institution or request.get("AO")
        date = date_of(self._now())
        say = terminal.words.say
        fields = [
            (name, say(text) if text and name == "AF" else text) for name, text in answer.fields
        ]
        whole = Answer({"date": date, **answer.fixed}, [("AO", institution), *fields])
        if request.code == "35":
            terminal.language = ""
        if request.code == "93":
            whole = Answer(answer.fixed)
        code = "26" if request.code == "25" else REQUESTS[request.code].answer
        return encode(code, whole, terminal.station.encoding, request.sequence)

    def _now(self) -> datetime:
        return wall_clock().astimezone(self.terminal.zone)


class Listener:
    """The open connections of this process."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._accounts = StationAccounts()
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection until one side ends it."""
        task = asyncio.current_task()
        if task is None or len(self._open) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(task)
        host, port, *_ = writer.get_extra_info("peername") or ("unknown", 0)
        terminal = Terminal(Api(self._app, self._accounts, (host, port)))
        terminal.station = _station(self._app.state.settings, "default")
        try:
            await _talk(Conversation(terminal), reader, writer)
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            pass  # the station has gone, or sends no messages
        finally:
            self._open.discard(task)
            writer.transport.abort()
            await terminal.api.forget_patron()

    async def close(self) -> None:
        """End all connections."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


async def _talk(
    conversation: Conversation, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    until = asyncio.get_running_loop().time() + LOG_IN_SECONDS
    while True:
        async with asyncio.timeout(IDLE_SECONDS) as waiting:
            if not conversation.terminal.name:
                waiting.reschedule(until)
            first, blanks = END, 0
            while first in b"\r\n \0":
                if blanks > MOST_BLANKS:
                    return
                first, blanks = await reader.readexactly(1), blanks + 1
        async with asyncio.timeout(MESSAGE_SECONDS):
            line = first + (await reader.readuntil(END)).removesuffix(END)
        answer = await conversation.answer(line)
        if answer is None:
            return
        writer.write(answer)
        async with asyncio.timeout(MESSAGE_SECONDS):
            await writer.drain()


async def listen(app: FastAPI) -> None:
    """Serve stations on the ports that are set, until cancelled."""
    settings: Settings = app.state.settings
    listener = Listener(app)
    doors = [
        (settings.sip2_host, settings.sip2_port, None),
        (settings.host, settings.sip2_tls_port, settings.sip2_tls()),
    ]
    servers = []
    try:
        for host, port, tls in doors:
            if port:
                servers.append(
                    await asyncio.start_server(
                        listener.serve, host, port, ssl=tls, limit=MOST_BYTES
                    )
                )
        await asyncio.Event().wait()
    finally:
        for server in servers:
            server.close()
        await listener.close()
