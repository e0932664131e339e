"""Trace headers of callers, valid and malformed, by W3C Trace Context."""

import aiohttp
import pytest

from tests.gateway.test_proxy import Echoes, Gateway

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = f"00-{TRACE}-00f067aa0ba902b7-01"
Sent = list[tuple[str, str]]


async def handed_on(echoes: Echoes, gateway: Gateway, sent: Sent) -> tuple[str, str]:
    """Return the traceparent and tracestate that an owner receives."""
    settings, owners = echoes
    async with (
        gateway(settings) as api,
        aiohttp.ClientSession() as session,
        session.get(f"{api.url}/v1/titles", headers=sent) as answer,
    ):
        assert answer.status == 201
    asked = owners["circulation"].asked[-1]["headers"]
    return asked.get("traceparent", ""), asked.get("tracestate", "")


@pytest.mark.parametrize(
    ("states", "handed"),
    [
        ([], ""),
        (["a=1,b=2"], "a=1,b=2"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["a=1 , b=2"], "a=1,b=2"),
        (["a=1,a=2"], ""),
        (["not a state"], ""),
        ([",".join(f"{name}={'x' * 200}" for name in "abc")], ""),
    ],
    ids=["none", "one", "two headers", "spaces", "a key twice", "malformed", "too long"],
)
async def test_a_well_formed_trace_is_continued_with_its_state(
    echoes: Echoes, gateway: Gateway, states: list[str], handed: str
) -> None:
    sent = [("traceparent", SENT), *(("tracestate", state) for state in states)]
    assert await handed_on(echoes, gateway, sent) == (SENT, handed)


@pytest.mark.parametrize(
    "parents",
    [
        ["nonsense"],
        [""],
        [SENT.upper()],
        [SENT.replace(TRACE, "0" * 32)],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [f"ff-{TRACE}-00f067aa0ba902b7-01"],
        [f"{SENT}-more"],
        [SENT, SENT],
    ],
)
async def test_a_malformed_trace_is_ignored_with_its_state(
    echoes: Echoes, gateway: Gateway, parents: list[str]
) -> None:
    sent = [*(("traceparent", parent) for parent in parents), ("tracestate", "a=1")]
    assert await handed_on(echoes, gateway, sent) == ("", "")


async def test_a_header_of_a_later_version_is_read_like_the_known_version(
    echoes: Echoes, gateway: Gateway
) -> None:
    sent = [("traceparent", f"cc-{TRACE}-00f067aa0ba902b7-01-more"), ("tracestate", "a=1")]
    assert await handed_on(echoes, gateway, sent) == (SENT, "a=1")
