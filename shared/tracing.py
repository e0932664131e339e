"""Traces from a client's request to its consumers, if OTEL_TRACES_EXPORTER is set.

Without it no span is made, but `traceparent` and `tracestate` from a caller are still passed on
through requests, outboxes and topics. OpenTelemetry's own propagator reads and writes both, and
ignores them if they are malformed, as W3C Trace Context requires.

A span names an error by its type, never by its message, which may quote a card number or a name.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attributes = Mapping[str, str | int]
Headers = Mapping[str, str] | Mapping[str, Sequence[str]]
"""Headers of a request or a message, by name in lower case."""

_EXPORTERS = "opentelemetry_traces_exporter"
_OTLP = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_PROPAGATOR = TraceContextTextMapPropagator()

_tracer: Tracer | None = None


def configure_tracing(service: str, replica: str) -> None:
    """Start tracing if OTEL_TRACES_EXPORTER names an exporter. Call once for a process.

    The exporter is the one that an installed package registers under that name, as OpenTelemetry
    defines it; `console` and `otlp` over HTTP are always there. OpenTelemetry itself reads
    OTEL_TRACES_SAMPLER, OTEL_BSP_… and OTEL_EXPORTER_…; if no sampler is named, one trace of ten
    is sent to a collector. Ends the process with an error for an unknown name.
    """
    global _tracer  # noqa: PLW0603 - one for the process, as in OpenTelemetry
    name = os.environ.get("OTEL_TRACES_EXPORTER", "none").strip() or "none"
    off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if name == "none" or off or _tracer is not None:
        return
    if name == "otlp" and "OTEL_TRACES_SAMPLER" not in os.environ:
        os.environ["OTEL_TRACES_SAMPLER"] = "parentbased_traceidratio"
        os.environ.setdefault("OTEL_TRACES_SAMPLER_ARG", "0.1")
    # Imported here: it costs 30 ms and some MB, which only a tracing process needs.
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
        f"{known}. For otlp over grpc install opentelemetry-exporter-otlp-proto-grpc beside Carrel."
    )


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    headers: Headers | None = None,
    attributes: Attributes | None = None,
) -> Iterator[Span]:
    """Open a span around a block, under the caller's in `headers` or else the current span."""
    if _tracer is None:
        known = _sent(headers) if headers else INVALID_SPAN
        with under(known):
            yield known
        return
    with _tracer.start_as_current_span(
        name,
        context=_PROPAGATOR.extract(headers, Context()) if headers else None,
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


def begin(name: str, kind: SpanKind, *, headers: Headers, attributes: Attributes) -> Span:
    """Start a span that the caller ends, under the sender's in `headers` or as a root."""
    if _tracer is None:
        return _sent(headers)
    sent = _PROPAGATOR.extract(headers, Context())
    return _tracer.start_span(name, context=sent, kind=kind, attributes=attributes)


@contextmanager
def under(begun: Span) -> Iterator[None]:
    """Make a span that was begun before current in the block; the span continues after it."""
    if begun is INVALID_SPAN:
        yield
        return
    with use_span(begun, record_exception=False, set_status_on_exception=False):
        yield


def fail(failed: Span, error_type: str) -> None:
    """Mark a span as failed."""
    failed.set_status(StatusCode.ERROR)
    failed.set_attribute("error.type", error_type)


def trace_headers() -> dict[str, str]:
    """Return the current `traceparent` and `tracestate`; empty if there is no trace."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return headers


def current_ids() -> dict[str, str]:
    """Return `trace_id` and `span_id` of the current span in hex; empty if there is none."""
    context = get_current_span().get_span_context() if _tracer else None
    if context is None or not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _sent(headers: Headers) -> Span:
    """Return the sender's span, which only passes the trace on."""
    return get_current_span(_PROPAGATOR.extract(headers, Context()))
