"""What a driver tells of its pipelines: what they do, what they wait for, how far they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sentinel.telemetry.bounded import known
from sentinel.telemetry.health import Check

RUNNING = "running"
WAITING_FOR_LEASE = "waiting for the lease"
SOURCE_GAP = "source gap"
# Where a pipeline may stay for long without anything being wrong.
AT_REST = frozenset({RUNNING, "paused", "stopped"})
# Why it is refused may be the text of a rule, which is nobody's but the tenant's.
REFUSED = "its newest version cannot be served; sentinel.generations.error says why"
PHASES = frozenset({"starting", WAITING_FOR_LEASE, SOURCE_GAP, *AT_REST})


@dataclass(frozen=True, slots=True)
class PipelineState:
    """What a runner knows of its pipeline, without asking anybody.

    Attributes:
        phase: One of `PHASES`.
        holder: Who holds the lease, as it was found last; empty while this driver does, or nobody knows.
        trouble: What its last try met: a store that is away, a failure. None: it succeeded.
        waiting_for: The store that alerts wait for; None: they do not.
        is_refused: The newest configuration does not serve.
        lag_records: None: it is not known.
        has_lease: Whether this driver held the lease when it last looked.
    """

    pipeline_id: int
    phase: str
    holder: str = ""
    trouble: str | None = None
    waiting_for: str | None = None
    is_refused: bool = False
    lag_records: int | None = None
    has_lease: bool = False


class Runner(Protocol):
    """Serves a pipeline."""

    def state(self) -> PipelineState:
        """Return what it knows."""

    def is_alive(self) -> bool:
        """Return whether its thread runs."""

    @property
    def ident(self) -> int | None:
        """None: its thread was not started yet."""


def checks_of(runners: Sequence[Runner]) -> list[Check]:
    """Return whether each pipeline is served, and what is wrong where it is not served as it was asked to be."""
    found = []
    for runner in runners:
        state = runner.state()
        name = f"pipeline {state.pipeline_id}"
        found.append(Check(name, _cause(state)))
        if state.is_refused:
            found.append(Check(f"{name} configuration", REFUSED, is_vital=False))
    return found


def alive_of(runners: Sequence[Runner]) -> list[Check]:
    """Return whether every pipeline's thread runs: one that has ended needs a new process."""
    return [
        Check(f"pipeline {runner.state().pipeline_id}", None if runner.is_alive() else "its thread has ended")
        for runner in runners
        if runner.ident is not None
    ]


def _cause(state: PipelineState) -> str | None:
    if state.phase == WAITING_FOR_LEASE:
        return f"the lease is held by {state.holder or 'another driver'}"
    if state.waiting_for:
        return f"alerts wait: {state.waiting_for}"
    if state.trouble:
        return state.trouble if state.phase in AT_REST else f"{state.phase}: {state.trouble}"
    return None if state.phase in AT_REST else state.phase


class PipelineStates(Collector):
    """The states, when somebody scrapes."""

    def __init__(self, runners: Sequence[Runner]) -> None:
        self._runners = runners

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before it is asked."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Tell."""
        label = ["pipeline_id"]
        phase = GaugeMetricFamily("pipeline_phase", "1 for what the job does about it.", labels=[*label, "phase"])
        lease = GaugeMetricFamily("pipeline_lease_held", "1 where this job holds its lease.", labels=label)
        ready = GaugeMetricFamily("pipeline_ready", "1 where it is served as it was asked to be.", labels=label)
        waits = GaugeMetricFamily("pipeline_alerts_wait", "1 while alerts wait for PostgreSQL.", labels=label)
        older = GaugeMetricFamily("pipeline_change_refused", "1 while a change cannot be served.", labels=label)
        lag = GaugeMetricFamily("pipeline_lag_records", "Records that are not decided yet.", labels=label)
        for runner in self._runners:
            state = runner.state()
            name = str(state.pipeline_id)
            phase.add_metric([name, known(state.phase, PHASES)], 1)
            lease.add_metric([name], int(state.has_lease))
            ready.add_metric([name], int(_cause(state) is None))
            waits.add_metric([name], int(bool(state.waiting_for)))
            older.add_metric([name], int(state.is_refused))
            if state.lag_records is not None:
                lag.add_metric([name], state.lag_records)
        yield from (phase, lease, ready, waits, older, lag)
