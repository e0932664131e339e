"""Requests written byte by byte: none reaches routes between services, none counts as two.

No header changes where a request goes, or from which address it seems to come. A gateway that is
told to stop answers the requests it has, and refuses new ones.
"""

import asyncio
import contextlib

import aiohttp
import pytest

from ops.infrastructure.child import Child
from ops.infrastructure.processes import System
from services.settings import Settings
from shared.http.client_address import HEADER, client_header
from tests import patience
from tests.library import Library, unique
from tests.support import patient_client, until

BODY = '{"assertion": "guess"}'
INSIDE = "/v1/service-sessions"


async def said(port: int, *lines: str, body: str = "", ends: bool = False) -> bytes:
    """Send lines; return all bytes received before the connection ends or is silent.

    With `ends`, raises TimeoutError if the connection does not end.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1"))
    await writer.drain()
    answer = b""
    with contextlib.suppress(ConnectionError, *(() if ends else (TimeoutError,))):
        async with patience.within(60) if ends else asyncio.timeout(10):
            while piece := await reader.read(65536):
                answer += piece
    writer.close()
    return answer


def statuses(answer: bytes) -> list[int]:
    """Return the status of each answer."""
    return [int(piece[:3]) for piece in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    "target",
    [
        INSIDE,
        f"http://127.0.0.1{INSIDE}",
        f"/{INSIDE}",
        f"/v1/titles/..{INSIDE}",
        "/v1/titles/../service-sessions",
        "/v1/titles/%2e%2e/service-sessions",
        "/v1/titles/%2e%2e%2fservice-sessions",
        "/v1/titles%2f..%2fservice-sessions",
        "/v1/%73ervice-sessions",
        "/v1/service-sessions/",
        "/v1/service-sessions;x=1",
        "/v1/sessions/..;/service-sessions",
        "/v1\\service-sessions",
        "/V1/service-sessions",
        "/v1/./service-sessions",
        "/v1/service-sessions%00",
        "/v1/service-sessions%20",
        "/v1/service-sessions?",
        "/v1/service-sessions#/v1/sessions",
    ],
)
async def test_no_spelling_of_a_path_reaches_an_internal_route(
    running: System, target: str
) -> None:
    port = running.process("gateway").port
    length = f"Content-Length: {len(BODY)}"
    head = ("Host: x", "Content-Type: application/json", length, "Connection: close")
    answer = await said(port, f"POST {target} HTTP/1.1", *head, body=BODY)
    assert statuses(answer) in ([404], [400]), answer
    assert b"bad-credentials" not in answer  # the answer of accounts


@pytest.mark.parametrize(
    "header",
    [
        f"X-Original-URL: {INSIDE}",
        f"X-Rewrite-URL: {INSIDE}",
        f"X-Forwarded-Prefix: {INSIDE}",
        "X-HTTP-Method-Override: DELETE",
        "X-Forwarded-Host: accounts",
        "Carrel-Changes: 1",
        "Connection: close, Authorization",
    ],
)
async def test_no_header_changes_the_target_of_a_request(
    running: System, library: Library, header: str
) -> None:
    card = await library.patron(await library.branch())
    answer = await said(
        running.process("gateway").port,
        "GET /v1/me/preferences HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {library.tokens[card]}",
        "Accept-Encoding: identity",
        header,
        *([] if header.startswith("Connection") else ["Connection: close"]),
    )
    assert statuses(answer) == [200], answer
    assert b"carrel-changes" not in answer.lower()
    assert b"followed_branches" in answer


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: 203.0.113.9",
        "Forwarded: for=203.0.113.9",
        "X-Real-IP: 203.0.113.9",
        f"{HEADER}: {client_header('203.0.113.9', 'guess', whole=True)}",
    ],
    ids=lambda header: header.partition(":")[0],
)
async def test_no_header_changes_the_address_of_a_client(
    running: System, library: Library, header: str
) -> None:
    """Wrong PINs are counted and recorded for the address of the connection."""
    card, request = await library.patron(await library.branch()), unique("request")
    body = f'{{"card_number": "{card}", "pin": "00-00-00"}}'
    answer = await said(
        running.process("gateway").port,
        "POST /v1/sessions HTTP/1.1",
        *("Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"),
        *(f"X-Request-Id: {request}", header, "Connection: close"),
        body=body,
    )
    assert statuses(answer) == [401], answer
    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)
    trail = client[f"{settings.database_prefix}_accounts"].audit_trail
    [entry] = [one async for one in trail.find({"correlation_id": request})]
    client.close()
    assert entry["address"] == "127.0.0.0/24"


SECOND = f"POST {INSIDE} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        ["Host: x", "Host: y"],
        ["Host: x", "Content-Length: 0", f"Content-Length: {len(SECOND)}"],
        ["Host: x", f"Content-Length: {len(SECOND)}", "Transfer-Encoding: chunked"],
        ["Host: x", "Content-Length: 0", "Transfer-Encoding: chunked"],
        ["Host: x", "Transfer-Encoding: identity, chunked, x"],
        ["Host: x", "Content-Length: +0"],
        ["Host: x", "Content-Length: 0x10"],
        ["Host: x", "Authorization: Bearer a", "Authorization: Bearer b"],
        ["Host: x", "X-Header : x"],
        ["Host: x", "X-Header: a\x00b"],
    ],
    ids=str,
)
async def test_an_ambiguous_request_is_refused(running: System, headers: list[str]) -> None:
    port = running.process("gateway").port
    answer = await said(port, "POST /v1/sessions HTTP/1.1", *headers, body=SECOND)
    assert statuses(answer)[:1] == [400], answer
    assert set(statuses(answer)) <= {400, 404}, answer


async def test_endless_headers_close_the_connection(running: System) -> None:
    port = running.process("gateway").port
    endless = [f"X-{number}: {'x' * 1000}" for number in range(200)]
    answer = await said(port, "GET /v1/titles HTTP/1.1", "Host: x", *endless, ends=True)
    assert statuses(answer) in ([431], [])  # empty if reset before it had read all bytes


async def gone(port: int) -> bool:
    """Return whether the port refuses new connections."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_a_stopping_gateway_finishes_its_requests_and_accepts_no_more(
    running: System, library: Library
) -> None:
    gateway, circulation = running.process("gateway"), running.process("circulation")
    await library.get("/v1/titles")
    circulation.suspend()
    try:
        async with aiohttp.ClientSession() as session:
            in_hand = asyncio.create_task(session.get(f"{running.gateway_url}/v1/titles"))
            await until(lambda: in_flight(gateway))
            gateway.signal_stop()
            await until(lambda: gone(gateway.port))
            circulation.resume()
            async with await in_hand as answer:
                assert answer.status in (200, 503)  # 200 if circulation was back in time
                assert await answer.json(content_type=None)
        gateway.wait(limit=patience.stretched(60))
    finally:
        circulation.resume()
        gateway.start()


async def in_flight(gateway: Child) -> bool:
    """Return whether the gateway is answering a request."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{gateway.more_ports[0]}/metrics") as answer,
    ):
        [line] = [
            line
            for line in (await answer.text()).splitlines()
            if line.startswith('carrel_http_requests_in_flight{service="gateway"}')
        ]
    return float(line.split()[-1]) > 0
