"""Every metric that Sentinel's processes expose, and the ones that a PromQL expression names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from config_api.metrics import ProcessMetrics
from sentinel.clock import monotonic_seconds
from sentinel.domain.figures import ChannelFigures, PipelineFigures, QueueFigures, TenantFigures
from sentinel.notify.heartbeat import Heartbeat
from sentinel.notify.reach.addresses import AddressGuard
from sentinel.notify.reach.guarded_http import GuardedHttp
from sentinel.settings import NotifySettings
from sentinel.streaming.job.telling import PipelineStates
from sentinel.streaming.metrics import JobMetrics
from sentinel.streaming.worker.metrics import TaskMetrics
from sentinel.wiring_worker import WorkerFigures, WorkerTelemetry

_SERIES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
# Of the Python process itself, from prometheus_client.
_OF_ANY = ("process_", "python_")
_WORDS = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_KEYWORDS = frozenset(
    [
        "by",
        "on",
        "or",
        "and",
        "unless",
        "without",
        "ignoring",
        "group_left",
        "group_right",
        "bool",
        "offset",
        "inf",
        "nan",
    ]
)


def exposed() -> dict[str, str]:
    """Return family -> type of every metric of our own, with `_total` behind counters."""
    found: dict[str, str] = {}
    for family in _families():
        if not family.name.startswith(_OF_ANY):
            found[family.name + ("_total" if family.type == "counter" else "")] = family.type
    return found


def series() -> set[str]:
    """Return the names of all series."""
    found = set()
    for name, kind in exposed().items():
        found |= {name} if kind == "counter" else {f"{name}{suffix}" for suffix in _SERIES[kind]}
    return found


def names_in(expression: str) -> set[str]:
    """Return the metrics that an expression reads: what is neither a function, a keyword, a label nor a text."""
    bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", r"\1", bare)
    found = set()
    for match in _WORDS.finditer(bare):
        is_number_part = match.start() > 0 and bare[match.start() - 1].isdigit()
        is_function = bare[match.end() :].lstrip().startswith("(") or match[0] in _AGGREGATIONS
        if match[0].lower() not in _KEYWORDS and not is_function and not is_number_part:
            found.add(match[0])
    return found


_AGGREGATIONS = frozenset({"sum", "min", "max", "avg", "count", "topk", "bottomk", "quantile"})


def _families() -> Iterable[Metric]:
    figures = PipelineFigures(1, "active", {"critical": 1}, {"not_json": 1}, 1, 1, "running", 1.0, 0, 0)
    tenant = TenantFigures(0, 0.0, 0, 0.0, {"stale": 1}, 0, (ChannelFigures(1, "slack", 0, 0, 0.0, False, False),))
    told = ProcessMetrics.new().told("t", [figures], tenant).decode()
    yield from text_string_to_metric_families(told)
    job = CollectorRegistry()
    JobMetrics(job)
    job.register(PipelineStates([]))
    yield from job.collect()
    tasks = CollectorRegistry()
    TaskMetrics(tasks)
    yield from tasks.collect()
    worker = WorkerTelemetry(())
    worker.registry.register(WorkerFigures(lambda: QueueFigures(0, 0.0, 0.0, 0), worker, dict))
    http = GuardedHttp(AddressGuard(()), NotifySettings(), monotonic_seconds)
    Heartbeat("https://example.org/", http, list, seconds=60, registry=worker.registry)
    yield from worker.registry.collect()
