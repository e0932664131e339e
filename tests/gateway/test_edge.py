"""Requests that the gateway refuses unread, and the headers of all its answers."""

import gzip
from datetime import datetime, timedelta, timezone
from typing import Any

import aiohttp
import pytest
from fastapi import Request
from pydantic import ValidationError

from services.gateway.edge.middleware import MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL
from services.gateway.settings import Settings
from shared.http.service import MAX_BODY
from tests.gateway.conftest import Owner, says
from tests.gateway.test_proxy import Echoes, Gateway
from tests.support import reaching, token

PATRON = token()
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
TOO_LARGE = (413, "too-large")
SITE = "https://library.example"


async def test_every_response_has_the_security_headers(
    settings: Settings, gateway: Gateway
) -> None:
    async with gateway(settings) as api:
        for path in ("/v1/me", "/v1/titles", "/nothing", "/health/live", "/openapi.json"):
            headers = (await api.get(path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] == "same-origin"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert headers["X-Request-Id"]
            assert "Strict-Transport-Security" not in headers
        docs = (await api.get("/docs")).headers
        assert "style-src" in docs["Content-Security-Policy"]  # the page's own policy is kept


async def test_head_is_answered_like_get_without_the_body(
    settings: Settings, gateway: Gateway
) -> None:
    async with gateway(settings) as api:
        for path in ("/log-in", "/v1/me", "/openapi.json", "/nothing"):
            got, asked = await api.get(path), await api.call("HEAD", path)
            assert (asked.status, asked.body) == (got.status, b""), path
            for name in ("Content-Type", "Content-Length", "Cache-Control"):
                assert asked.headers.get(name) == got.headers.get(name), (path, name)
        for path, status in (("/v1/me/stream", 404), ("/me/stream", 405)):
            assert (await api.call("HEAD", path, as_=PATRON)).status == status


async def test_the_contact_for_weaknesses_is_told_if_there_is_one(
    settings: Settings, gateway: Gateway
) -> None:
    path = "/.well-known/security.txt"
    async with gateway(settings) as api:
        assert (await api.get(path)).status == 404
    told = {
        "security_contact": "mailto:security@library.example",
        "security_expires": datetime(2031, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))),
        "public_url": SITE,
    }
    async with gateway(settings.model_copy(update=told)) as api:
        answer = await api.get(path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.body.decode().splitlines() == [
        "Contact: mailto:security@library.example",
        "Expires: 2031-01-01T00:00:00Z",
        "Preferred-Languages: en, zh",
        f"Canonical: {SITE}{path}",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"security_contact": "mailto:a@b.example"},
        {"security_expires": "2031-01-01T00:00:00Z"},
        {"security_contact": "a@b.example", "security_expires": "2031-01-01T00:00:00Z"},
        {"security_contact": "mailto:a\nExpires: x", "security_expires": "2031-01-01T00:00:00Z"},
    ],
    ids=["no expiry", "no contact", "no URI", "two lines"],
)
def test_a_contact_for_weaknesses_that_would_be_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)


async def test_a_password_manager_is_led_to_the_page_to_change_a_pin(
    settings: Settings, gateway: Gateway
) -> None:
    async with gateway(settings) as api:
        session = aiohttp.ClientSession()
        async with (
            session,
            session.get(f"{api.url}/.well-known/change-password", allow_redirects=False) as led,
        ):
            assert (led.status, led.headers["Location"]) == (302, "/pin-and-codes")
        page = await api.get("/pin-and-codes")  # asks to log in first, and leads on
        assert page.status == 200


async def test_pages_ask_a_browser_for_no_devices(settings: Settings, gateway: Gateway) -> None:
    async with gateway(settings) as api:
        for path in ("/log-in", "/catalogue", "/nowhere"):
            said = (await api.get(path, headers={"Accept": "text/html"})).headers
            for feature in ("camera", "geolocation", "microphone"):
                assert f"{feature}=()" in said["Permissions-Policy"], path


async def test_the_hsts_header_is_sent_if_configured(settings: Settings, gateway: Gateway) -> None:
    async with gateway(settings.model_copy(update={"hsts_seconds": 600})) as api:
        said = (await api.get("/v1/me")).headers["Strict-Transport-Security"]
        assert said == "max-age=600; includeSubDomains"


async def test_addresses_and_headers_have_a_limit(echoes: Echoes, gateway: Gateway) -> None:
    settings, owners = echoes
    many = {f"X-{number}": "x" for number in range(MAX_HEADERS)}
    # The client splits no header, and the server reads up to 64 KiB in one field.
    large = {f"X-{number}": "x" * (MAX_HEADER_BYTES // 4) for number in range(4)}
    async with gateway(settings) as api:
        long = await api.get("/v1/titles?q=" + "x" * MAX_URL)
        assert (long.status, long.json()["code"]) == (414, "address-too-long")
        for headers in (many, large):
            answer = await api.get("/v1/titles", headers=headers)
            assert (answer.status, answer.json()["code"]) == (431, "headers-too-large")
    assert owners["circulation"].asked == []


async def test_backslashes_of_cookies_are_left_out(settings: Settings, gateway: Gateway) -> None:
    async def cookie(request: Request) -> str:
        return request.headers["cookie"]

    async with gateway(settings) as api:
        api.app.add_api_route("/cookie", cookie)
        answer = await api.get("/cookie", headers={"Cookie": r'a="\x\"; b=1'})
    assert answer.json() == 'a="x"; b=1'


async def test_cross_origin_requests_need_an_allowed_origin(
    settings: Settings, gateway: Gateway
) -> None:
    asks = {
        "Origin": SITE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    async with gateway(settings) as api:
        answer = await api.call("OPTIONS", "/v1/holds", headers=asks)
        assert answer.status == 405
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with gateway(settings.model_copy(update={"cors_origins": (SITE,)})) as api:
        answer = await api.call("OPTIONS", "/v1/holds", headers=asks)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, SITE)
        assert "Access-Control-Allow-Credentials" not in answer.headers
        other = await api.call("OPTIONS", "/v1/holds", headers=asks | {"Origin": "https://x.test"})
        assert "Access-Control-Allow-Origin" not in other.headers
        refused = await api.get("/v1/me", headers={"Origin": SITE})
        assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (401, SITE)


async def test_a_body_that_is_not_json_is_refused_but_an_empty_body_is_accepted(
    echoes: Echoes, gateway: Gateway
) -> None:
    settings, owners = echoes
    async with gateway(settings) as api:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await api.call("POST", "/v1/titles", data=b"a=b", headers=form)
        assert (answer.status, answer.json()["code"]) == (415, "not-json")
        assert owners["circulation"].asked == []
        assert (await api.call("POST", "/v1/titles", headers=form)).status == 201
        typed = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert (await api.call("POST", "/v1/titles", data=b"{}", headers=typed)).status == 201


async def test_only_a_file_of_a_known_caller_may_be_larger_than_other_bodies(
    echoes: Echoes, gateway: Gateway
) -> None:
    settings, owners = echoes
    large = b"x" * (MAX_BODY + 1)
    file = {"Content-Type": "application/octet-stream"}
    most = settings.attachment_bytes
    async with gateway(settings) as api:
        assert (await api.post("/v1/attachments", as_=PATRON)).status == 201
        sent = await api.call("POST", "/v1/attachments", data=large, headers=file, as_=PATRON)
        assert sent.status == 201
        asked = len(owners["notices"].asked)
        for path, body, headers, caller, refused in (
            ("/v1/attachments", b"x" * (most + 1), file, PATRON, (413, "too-large")),
            ("/v1/attachments", large, file, None, (413, "too-large")),
            ("/v1/attachments", b"{}", JSON, PATRON, (415, "not-json")),
            ("/v1/enquiries", large, JSON, PATRON, TOO_LARGE),
            ("/v1/enquiries", b"x", file, PATRON, (415, "not-json")),
            ("/desk/lending", large, FORM, PATRON, TOO_LARGE),
            ("/enquiries", large, FORM, None, TOO_LARGE),
            ("/enquiries", b"x" * (most * 5 + MAX_BODY + 1), FORM, PATRON, TOO_LARGE),
        ):
            answer = await api.call("POST", path, data=body, headers=headers, as_=caller)
            assert (answer.status, answer.json()["code"]) == refused, path
        assert len(owners["notices"].asked) == asked


LONG = b'{"items": "' + b"x" * 5000 + b'"}'


def answer_of(kind: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (kind, len(LONG)) + LONG


@pytest.mark.parametrize(
    ("kind", "path", "compressed"),
    [
        (b"application/json", "/v1/titles", True),
        (b"text/calendar", "/v1/titles", True),
        (b"text/html", "/v1/titles", False),
        (b"text/event-stream", "/v1/titles", False),
        (b"application/json", "/v1/sessions", False),
        (b"application/json", "/v1/second-factors", False),
    ],
    ids=["data", "calendar", "a page", "a stream", "a token", "a secret for codes"],
)
async def test_long_json_is_compressed_but_pages_streams_and_tokens_are_not(
    kind: bytes, path: str, compressed: bool, settings: Settings, gateway: Gateway
) -> None:
    async with says(answer_of(kind)) as url:
        all_there = reaching(settings, circulation=url, accounts=url)
        async with (
            gateway(all_there) as api,
            api._session.get(
                api.url + path, headers={"Accept-Encoding": "gzip"}, auto_decompress=False
            ) as answer,
        ):
            body = await answer.read()
            assert answer.headers.get("Content-Encoding") == ("gzip" if compressed else None)
            assert (gzip.decompress(body) if compressed else body) == LONG


async def test_a_client_cannot_ask_an_owner_for_the_recorded_changes(
    lending: tuple[Settings, Owner], gateway: Gateway
) -> None:
    settings, _ = lending
    async with gateway(settings) as api:
        lent = await api.post(
            "/v1/checkouts?loan_id=loan-1", as_=PATRON, headers={"Carrel-Changes": "1"}
        )
        assert lent.json() == {"lent": "loan-1"}
        assert "Carrel-Changes" not in lent.headers


async def test_the_request_id_and_the_trace_are_forwarded(echoes: Echoes, gateway: Gateway) -> None:
    settings, owners = echoes
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with gateway(settings) as api:
        answer = await api.get("/v1/titles", headers={"X-Request-Id": "mine", "traceparent": trace})
    assert answer.headers["X-Request-Id"] == "mine"
    asked = owners["circulation"].asked[-1]["headers"]
    assert asked["x-request-id"] == "mine"
    assert asked["traceparent"].split("-")[1] == trace.split("-")[1]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "library.example"])
async def test_behind_a_proxy_cookies_are_secure_whatever_host_a_request_names(
    settings: Settings, gateway: Gateway, host: str
) -> None:
    page = {"Host": host, "Accept": "text/html"}
    async with gateway(settings.model_copy(update={"trusted_proxies": "10.0.0.1"})) as api:
        cookie = (await api.get("/log-in", headers=page)).headers["Set-Cookie"]
    assert cookie.startswith("__Host-carrel_guest=")
    assert "; Secure" in cookie


async def test_nobody_stores_what_belongs_to_a_person(echoes: Echoes, gateway: Gateway) -> None:
    settings, _ = echoes
    async with gateway(settings) as api:
        kept = {
            "a log-in": await api.post("/v1/sessions", {}),
            "a renewal": await api.post("/v1/sessions/renewal", {}),
            "the end of a session": await api.call("DELETE", "/v1/sessions/current", as_=PATRON),
            "an account": await api.get("/v1/me", as_=PATRON),
            "a refusal": await api.get("/v1/me"),
            "messages": await api.get("/v1/me/inbox", as_=PATRON),
            "a patron at the desk": await api.get("/v1/patrons?card=HK1", as_=PATRON),
        }
    for name, answer in kept.items():
        assert "no-store" in answer.headers["Cache-Control"], name
