"""A trace covers a request through gateway, owner, outbox, topics and consumers, as OTLP."""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ops.infrastructure.processes import System
from services.registry import NAMES
from tests.journeys.test_trace_headers import SENT, STATE, headers_of_a_late_return
from tests.library import Library
from tests.support import until
from tests.systems import started_system

pytestmark = pytest.mark.embedded  # its system is on the embedded broker

TRACED = "0af7651916cd43dd8448eb211c80319c"
LENT = "1bf7651916cd43dd8448eb211c80319c"
SENDER = "b7ad6b7169203331"


class Span(NamedTuple):
    """A span that a collector has received, without its attributes."""

    trace: str
    id: str
    parent: str
    service: str
    name: str


class Collector(ThreadingHTTPServer):
    """Receives traces by OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.bodies: list[bytes] = []

    def spans(self, trace: str) -> dict[str, Span]:
        """Return the spans of a trace that have arrived, by id."""
        found = {}
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = {one.key: one.value.string_value for one in resource.resource.attributes}
                for scope in resource.scope_spans:
                    for one in scope.spans:
                        ids = (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex())
                        found[ids[1]] = Span(*ids, about["service.name"], one.name)
        return {key: span for key, span in found.items() if span.trace == trace}


class Receiver(BaseHTTPRequestHandler):
    """Answers as a collector does."""

    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        zipped = self.headers.get("Content-Encoding") == "gzip"
        self.server.bodies.append(gzip.decompress(body) if zipped else body)
        assert self.path == "/v1/traces"
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Write no line for each request."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as started:
        serving = Thread(target=started.serve_forever)
        serving.start()
        yield started
        started.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    """The whole system with tracing and the most detailed logs."""
    settings = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "CARREL_LOG_LEVEL": "debug",
    }
    with started_system(tmp_path_factory, environment=dict.fromkeys(NAMES, settings)) as started:
        yield started


async def paths(collector: Collector, trace: str, wanted: list[list[tuple[str, str]]]) -> None:
    """Wait until a trace has these paths from the sender's span, each span under the one before."""

    def missing() -> list[list[tuple[str, str]]]:
        spans = collector.spans(trace)

        def leads(path: list[tuple[str, str]], above: str) -> bool:
            return not path or any(
                leads(path[1:], span.id)
                for span in spans.values()
                if (span.parent, span.service, span.name) == (above, *path[0])
            )

        return [path for path in wanted if not leads(path, SENDER)]

    async def exported() -> bool:
        return not missing()

    try:
        await until(exported)
    except TimeoutError:
        pytest.fail(f"missing: {missing()}; there are {sorted(collector.spans(trace).values())}")


FORWARDED = [("gateway", "POST /v1/{path:path}"), ("gateway", "POST circulation")]


def lines_of(running: System, key: str, value: str) -> list[dict[str, Any]]:
    """Return the log entries of all services with this value of a key."""
    lines = []
    for child in running.processes.values():
        for line in child.log.read_text().splitlines():
            said = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
            if said.get(key) == value:
                lines.append(said)
    return lines


async def test_a_late_return_is_one_trace_from_the_gateway_to_the_patrons_inbox(
    running: System, library: Library, collector: Collector
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle()
    await library.lend(card, [book], branch)
    library.now = "2020-12-01T10:00:00+08:00"  # two weeks late
    body = {"barcodes": [book], "branch": branch, "channel": "desk"}
    headers = {
        "Authorization": f"Bearer {library.tokens['staff']}",
        "Carrel-Time": library.now,
        "traceparent": f"00-{TRACED}-{SENDER}-01",
        "X-Request-Id": "desk-4711",
    }
    async with library._session.post(
        f"{running.gateway_url}/v1/returns", json=body, headers=headers
    ) as response:
        assert response.status == 200
        assert response.headers["X-Request-Id"] == "desk-4711"
    await library.flow.settle()

    returned = [*FORWARDED, ("circulation", "POST /v1/returns"), ("circulation", "return_copies")]
    notified = [*returned, ("notices", "fine.assessed process"), ("notices", "notify_patron")]
    wanted = [
        [*returned, ("circulation", "fine.assessed publish")],
        [*notified, ("notices", "notification.delivered publish")],
        [*notified, ("gateway", "notification.delivered process")],
    ]
    await paths(collector, TRACED, wanted)

    by_trace = lines_of(running, "trace_id", TRACED)
    by_request = lines_of(running, "correlation_id", "desk-4711")
    for lines in (by_trace, by_request):
        assert {
            (line["service"], line["event"], line.get("topic") or line.get("route"))
            for line in lines
        } >= {
            ("gateway", "answered", "/v1/{path:path}"),
            ("circulation", "answered", "/v1/returns"),
            ("notices", "processed", "fine.assessed"),
            ("gateway", "processed", "notification.delivered"),
        }


async def test_events_that_consumers_publish_carry_the_trace_state(
    running: System, library: Library
) -> None:
    for told in (await headers_of_a_late_return(running, library)).values():
        assert told["traceparent"].split("-")[1] == SENT.split("-")[1]
        assert told["traceparent"] != SENT  # the use case's own span
        assert told["tracestate"] == STATE


async def test_a_check_out_is_one_tree_of_spans_without_personal_data(
    running: System, library: Library, collector: Collector
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle()
    body = {"card_number": card, "barcodes": [book], "branch": branch}
    headers = {
        "Authorization": f"Bearer {library.tokens['staff']}",
        "Carrel-Time": library.now,
        "traceparent": f"00-{LENT}-{SENDER}-01",
    }
    async with library._session.post(
        f"{running.gateway_url}/v1/checkouts", json=body, headers=headers
    ) as response:
        assert response.status == 200
        assert (await response.json())["results"][0]["ok"]
    lent = [*FORWARDED, ("circulation", "POST /v1/checkouts"), ("circulation", "check_out")]
    published = ("circulation", "loan.checked-out publish")
    processed = ("gateway", "loan.checked-out process")
    await paths(collector, LENT, [[*lent, published], [*lent, processed]])
    sent = b"".join(collector.bodies)
    about = (await library.get("/v1/me", by=card))["patron"]
    for text in (card, book, library.tokens["staff"], about["name"]):
        assert text.encode() not in sent
