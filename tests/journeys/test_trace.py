"""A trace covers a request through gateway, owner, outbox, topics and consumers.

The exporter is loaded as an operator would install it: a package that offers an entry point.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.infrastructure.processes import System
from services.registry import NAMES
from tests.journeys.test_trace_headers import SENT, STATE, headers_of_a_late_return
from tests.library import Library
from tests.support import until
from tests.systems import started_system

pytestmark = pytest.mark.embedded  # its system is on the embedded broker

EXPORTER = '''
"""Writes each span as a line."""
import json, os, pathlib
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

class Lines(SpanExporter):
    def export(self, spans):
        with (pathlib.Path(__file__).parent / f"{os.getpid()}.jsonl").open("a") as file:
            for span in spans:
                file.write(json.dumps(json.loads(span.to_json())) + "\\n")
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis=30000):
        return True
'''
TRACED = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed exporter named `lines`, which writes its spans there too."""
    folder = tmp_path_factory.mktemp("exporter").resolve()
    (folder / "span_lines.py").write_text(EXPORTER)
    about = folder / "span_lines-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: span-lines\nVersion: 1.0\n")
    group = "[opentelemetry_traces_exporter]\nlines = span_lines:Lines\n"
    (about / "entry_points.txt").write_text(group)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, exporter: Path) -> Iterator[System]:
    """The whole system with tracing and the most detailed logs."""
    told = {
        "PYTHONPATH": str(exporter),
        "OTEL_TRACES_EXPORTER": "lines",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "CARREL_LOG_LEVEL": "debug",
    }
    with started_system(tmp_path_factory, environment=dict.fromkeys(NAMES, told)) as started:
        yield started


def spans_of(folder: Path, trace_id: str) -> list[tuple[str, str]]:
    """`(service, name)` of each span of a trace that has been exported."""
    found = []
    for file in folder.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            span = json.loads(line)
            if span["context"]["trace_id"] == f"0x{trace_id}":
                found.append((span["resource"]["attributes"]["service.name"], span["name"]))
    return sorted(found)


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
    running: System, library: Library, exporter: Path
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
        "traceparent": f"00-{TRACED}-b7ad6b7169203331-01",
        "X-Request-Id": "desk-4711",
    }
    async with library._session.post(
        f"{running.gateway_url}/v1/returns", json=body, headers=headers
    ) as response:
        assert response.status == 200
        assert response.headers["X-Request-Id"] == "desk-4711"
    await library.flow.settle()

    wanted = {
        ("gateway", "POST /v1/{path:path}"),
        ("gateway", "POST circulation"),
        ("circulation", "POST /v1/returns"),
        ("circulation", "return_copies"),
        ("circulation", "fine.assessed publish"),
        ("notices", "fine.assessed process"),
        ("notices", "notify_patron"),
        ("notices", "notification.delivered publish"),
        ("gateway", "notification.delivered process"),
    }

    async def exported() -> bool:
        return wanted <= set(spans_of(exporter, TRACED))

    try:
        await until(exported)
    except TimeoutError:
        pytest.fail(f"missing: {wanted - set(spans_of(exporter, TRACED))}")

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
