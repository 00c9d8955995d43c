"""Spans that go to a collector by OTLP over HTTP. Imported only where traces are switched on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from sentinel.telemetry.traces import MOST_VALUES, Kind, Span, Traces, Value

CLOSE_MS = 5_000
_PROPAGATOR = TraceContextTextMapPropagator()
_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "producer": trace.SpanKind.PRODUCER,
    "consumer": trace.SpanKind.CONSUMER,
    "client": trace.SpanKind.CLIENT,
}


def open_traces(service_name: str) -> Traces:
    """Begin to send spans; where to, with which headers and how many of them, OpenTelemetry reads for itself."""
    provider = TracerProvider(resource=Resource.create({"service.name": service_name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return _Traces(provider)


class _Span:
    """A span that is recorded, or sampled out."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get("traceparent", "")

    def note(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, _bounded(value))

    def link(self, traceparent: str) -> None:
        context = trace.get_current_span(_PROPAGATOR.extract({"traceparent": traceparent})).get_span_context()
        if context.is_valid:
            self._span.add_link(context)

    def failed(self, why: str) -> None:
        self._span.set_status(trace.StatusCode.ERROR, why)


class _Traces:
    """Begins spans of this process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("sentinel")

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Mapping[str, Value] | None = None,
        *,
        parent: str = "",
        kind: Kind = "internal",
        began_at: datetime | None = None,
    ) -> Iterator[Span]:
        context = _PROPAGATOR.extract({"traceparent": parent}) if parent else None
        noted = {key: _bounded(value) for key, value in (attributes or {}).items()}
        # What an exception says may hold what a span must not: its type is told, no more.
        with self._tracer.start_as_current_span(
            name,
            context,
            kind=_KINDS[kind],
            attributes=noted,
            start_time=None if began_at is None else int(began_at.timestamp() * 1e9),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield _Span(span)
            except Exception as error:
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise

    def close(self) -> None:
        self._provider.force_flush(CLOSE_MS)
        self._provider.shutdown()


def _bounded(value: Value) -> Value:
    return value if isinstance(value, str | int | float | bool) else list(value)[:MOST_VALUES]
