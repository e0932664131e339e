"""`traceparent` and `tracestate` pass from a request to its events and to those of consumers."""

from ops.broker.offsets import Positions
from ops.infrastructure.processes import System
from services.settings import Settings
from tests.library import Library

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STATE = "vendor=t61rcWkgMzE,carrel@test=1"
SENT_BY = {
    "fine.assessed": "/services/circulation",
    "notification.delivered": "/services/notices",
}
"""The event of a late return, and the event that a consumer publishes for it."""


async def headers_of_a_late_return(running: System, library: Library) -> dict[str, dict[str, str]]:
    """Return a loan late with trace headers; return the headers of its events by topic."""
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    await library.lend(card, [book], branch)
    library.now = "2020-12-01T10:00:00+08:00"  # two weeks late
    headers = {
        "Authorization": f"Bearer {library.tokens['staff']}",
        "Carrel-Time": library.now,
        "X-Request-Id": f"desk-{book}",
        "traceparent": SENT,
        "tracestate": STATE,
    }
    body = {"barcodes": [book], "branch": branch, "channel": "desk"}
    async with library._session.post(
        f"{running.gateway_url}/v1/returns", json=body, headers=headers
    ) as response:
        assert response.status == 200
    await library.flow.settle(within=60)
    found = {}
    async with Positions(running.settings(Settings)) as positions:
        for topic in SENT_BY:
            async for record in positions.records(topic):
                told = {name: value.decode() for name, value in record.headers}
                if told["ce_correlationid"] == f"desk-{book}":
                    found[topic] = told
    assert {topic: told["ce_source"] for topic, told in found.items()} == SENT_BY
    return found


async def test_events_carry_the_trace_of_their_request_without_an_exporter(
    running: System, library: Library
) -> None:
    for told in (await headers_of_a_late_return(running, library)).values():
        assert told["traceparent"] == SENT
        assert told["tracestate"] == STATE
