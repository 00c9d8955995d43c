"""Traces by OpenTelemetry."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from sentinel.domain.origin import TRACEPARENT
from sentinel.errors import ConfigurationError
from sentinel.telemetry.traces import MOST_VALUES, NO_TRACES, Traces, begin_traces
from tests.support.collector import Collector, collector


@pytest.fixture
def collected() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture
def traces(collected: Collector, monkeypatch: pytest.MonkeyPatch) -> Traces:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
    return begin_traces("worker", {"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url})


class TestOff:
    @pytest.mark.parametrize(
        "environment",
        [
            {},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
        ],
    )
    def test_without_a_collector_there_are_no_traces(self, environment: dict[str, str]) -> None:
        assert begin_traces("api", environment) is NO_TRACES

    def test_nothing_is_imported_then(self) -> None:
        code = (
            "import sys\n"
            "from sentinel.telemetry.traces import begin_traces\n"
            "begin_traces('api', {})\n"
            "print([name for name in sys.modules if name.startswith('opentelemetry')])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_a_span_of_nothing_carries_nothing_on(self) -> None:
        with NO_TRACES.span("x", {"a": 1}) as span:
            span.note("b", 2)
            assert span.traceparent == ""

    def test_packages_that_are_missing_are_named_with_the_way_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "sentinel.telemetry.otlp", None)
        with pytest.raises(ConfigurationError, match=r"sentinel-detect\[otel\]"):
            begin_traces("api", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"})


class TestOn:
    def test_spans_go_to_the_collector_with_their_parents(self, traces: Traces, collected: Collector) -> None:
        parent = f"00-{'a1' * 16}-{'b2' * 8}-01"
        with traces.span("outer", {"sentinel.tenant": "t"}, parent=parent, kind="server") as outer:
            found = TRACEPARENT.fullmatch(outer.traceparent)
            assert found is not None
            assert found["trace_id"] == "a1" * 16
            with traces.span("inner") as inner:
                inner.note("sentinel.count", 3)
        traces.close()
        first, second = sorted(collected.spans, key=lambda span: span.name)
        assert (first.name, first.service, first.attributes) == ("inner", "sentinel-worker", {"sentinel.count": 3})
        assert (first.trace_id, first.parent_id) == ("a1" * 16, second.span_id)
        assert (second.parent_id, second.attributes) == ("b2" * 8, {"sentinel.tenant": "t"})

    def test_what_an_exception_says_is_not_told(self, traces: Traces, collected: Collector) -> None:
        with pytest.raises(ValueError, match="secret"), traces.span("x"):
            raise ValueError("a secret")
        traces.close()
        (span,) = collected.spans
        assert span.failed == "ValueError"
        assert b"a secret" not in b"".join(request.body for request in collected.receiver.received)

    def test_lists_are_bounded(self, traces: Traces, collected: Collector) -> None:
        with traces.span("x") as span:
            span.note("sentinel.event_ids", [str(number) for number in range(10_000)])
        traces.close()
        assert len(collected.spans[0].attributes["sentinel.event_ids"]) == MOST_VALUES

    @pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-x\r\ny"])
    def test_a_parent_that_is_none_begins_a_trace(self, traces: Traces, parent: str, collected: Collector) -> None:
        with traces.span("x", parent=parent):
            pass
        traces.close()
        assert collected.spans[0].parent_id == ""

    def test_a_collector_that_is_away_stops_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        away = begin_traces("api", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
        with away.span("x") as span:
            assert span.traceparent
        away.close()
