"""One trace from a client's request to what consumers make of it, if OTEL_TRACES_EXPORTER is set.

Without it no span is made. What a caller sends as `traceparent` is carried on all the same:
through requests, outboxes and topics.

A span tells an error by its type, never by its message, which may quote a card number or a name.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)

Attributes = Mapping[str, str | int]

_EXPORTERS = "opentelemetry_traces_exporter"
_OTLP = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")

_tracer: Tracer | None = None


def configure_tracing(service: str, replica: str) -> None:
    """Begin to trace if OTEL_TRACES_EXPORTER names an exporter. Once for a process.

    The exporter is what an installed package offers under that name, as OpenTelemetry has it;
    `console` is always there. OTEL_TRACES_SAMPLER, OTEL_BSP_… and OTEL_EXPORTER_… are read by
    OpenTelemetry itself. Ends the process with a sentence for a name that no package offers.
    """
    global _tracer  # noqa: PLW0603 - one for the process, as OpenTelemetry has it too
    name = os.environ.get("OTEL_TRACES_EXPORTER", "none").strip() or "none"
    off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if name == "none" or off or _tracer is not None:
        return
    # 30 ms and some MB that only a process which traces has a use for.
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    about = {
        "service.name": service,
        "service.namespace": "carrel",
        "service.instance.id": f"{service}-{replica}",
    }
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(_exporter(name)))
    _tracer = provider.get_tracer("carrel")


def _exporter(name: str) -> Any:
    if name == "otlp":
        protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get(
            "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
        )
        name = _OTLP.get(protocol, protocol)
    for offered in entry_points(group=_EXPORTERS, name=name):
        return offered.load()()
    known = ", ".join(sorted({offered.name for offered in entry_points(group=_EXPORTERS)}))
    sys.exit(
        f"OTEL_TRACES_EXPORTER: no installed package offers the exporter {name}. There are: "
        f"{known}. For otlp install opentelemetry-exporter-otlp-proto-http beside Carrel."
    )


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: str = "",
    attributes: Attributes | None = None,
) -> Iterator[Span]:
    """A span around a block, below `parent` (a traceparent) or else below the span under way."""
    if _tracer is None:
        yield INVALID_SPAN
        return
    with _tracer.start_as_current_span(
        name,
        context=_context(parent) if parent else None,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as begun:
        try:
            yield begun
        except Exception as error:
            fail(begun, type(error).__name__)
            raise


def begin(name: str, kind: SpanKind, *, parent: str, attributes: Attributes) -> Span:
    """A span that the caller ends, below `parent` (a traceparent) or below nothing."""
    if _tracer is None:
        return INVALID_SPAN
    return _tracer.start_span(name, context=_context(parent), kind=kind, attributes=attributes)


@contextmanager
def under(begun: Span) -> Iterator[None]:
    """What is done in the block belongs to a span that was begun before, and goes on after."""
    if _tracer is None:
        yield
        return
    with use_span(begun, record_exception=False, set_status_on_exception=False):
        yield


def fail(failed: Span, error_type: str) -> None:
    """Mark a span as failed."""
    failed.set_status(StatusCode.ERROR)
    failed.set_attribute("error.type", error_type)


def traceparent() -> str:
    """The span under way as the W3C header that goes with what it causes; empty without one."""
    if _tracer is None:
        return ""
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def current_ids() -> dict[str, str]:
    """`trace_id` and `span_id` of the span under way, in hex; empty if there is none."""
    context = get_current_span().get_span_context() if _tracer else None
    if context is None or not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def well_formed(header: str) -> str:
    """A traceparent as it came, or nothing where it is none."""
    return header if _TRACEPARENT.fullmatch(header) else ""


def _context(parent: str) -> Context:
    """Below this traceparent, or below nothing where it is none."""
    parts = _TRACEPARENT.fullmatch(parent)
    if parts is None:
        return Context()
    trace_id, span_id, flags = (int(part, 16) for part in parts.groups())
    known = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(known), Context())
