"""What a detection job measures, and what it tells of its pipelines."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sentinel.streaming.job.telling import PipelineState, PipelineStates, alive_of, checks_of
from sentinel.streaming.metrics import JobMetrics
from sentinel.telemetry.health import status_of


@dataclass
class Runner:
    now: PipelineState
    runs: bool = True
    ident: int | None = 1

    def state(self) -> PipelineState:
        return self.now

    def is_alive(self) -> bool:
        return self.runs


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, {"pipeline_id": "7", **labels})


class TestPipelineMetrics:
    def test_outcomes_of_rules_add_up_though_matches_are_known_earlier(self) -> None:
        registry = CollectorRegistry()
        metrics = JobMetrics(registry).of(7)
        metrics._matches_not_observed = 30  # what `committed` leaves
        metrics.observed(evaluated=100, unknown=10)
        metrics.observed(evaluated=50, unknown=0)
        assert sample(registry, "rule_outcomes_total", outcome="unknown") == 10
        assert sample(registry, "rule_outcomes_total", outcome="no_match") == 100 - 10 - 30 + 50

    def test_more_matches_than_were_observed_wait_for_the_next_count(self) -> None:
        registry = CollectorRegistry()
        metrics = JobMetrics(registry).of(7)
        metrics._matches_not_observed = 80
        metrics.observed(evaluated=50, unknown=0)
        metrics.observed(evaluated=50, unknown=0)
        assert sample(registry, "rule_outcomes_total", outcome="no_match") == 20

    def test_a_phase_that_fails_is_not_measured(self) -> None:
        registry = CollectorRegistry()
        metrics = JobMetrics(registry).of(7)
        with pytest.raises(ValueError, match="x"), metrics.timed("plan"):
            raise ValueError("x")
        assert sample(registry, "detect_phase_seconds_count", phase="plan") == 0

    def test_pipelines_without_a_registry_count_for_nobody(self) -> None:
        JobMetrics().of(1).observed(1, 0)
        JobMetrics().of(1).observed(1, 0)


class TestReadiness:
    def test_a_pipeline_that_runs_is_ready(self) -> None:
        assert status_of(checks_of([Runner(PipelineState(7, "running"))])) == "ok"

    @pytest.mark.parametrize(
        ("state", "cause"),
        [
            (PipelineState(7, "starting"), "starting"),
            (PipelineState(7, "waiting for the lease", holder="h:1"), "the lease is held by h:1"),
            (PipelineState(7, "source gap", trouble="offsets 3 to 9"), "source gap: offsets 3 to 9"),
            (PipelineState(7, "running", trouble="Kafka is not available"), "Kafka is not available"),
            (PipelineState(7, "running", waiting_for="PostgreSQL: refused"), "alerts wait: PostgreSQL: refused"),
        ],
    )
    def test_one_that_is_not_served_says_why(self, state: PipelineState, cause: str) -> None:
        (check,) = checks_of([Runner(state)])
        assert check.cause == cause
        assert status_of([check]) == "unavailable"

    @pytest.mark.parametrize("phase", ["paused", "stopped"])
    def test_one_that_rests_as_it_was_asked_to_is_ready(self, phase: str) -> None:
        assert status_of(checks_of([Runner(PipelineState(7, phase))])) == "ok"

    def test_a_change_that_cannot_be_served_degrades(self) -> None:
        checks = checks_of([Runner(PipelineState(7, "running", is_refused=True))])
        assert status_of(checks) == "degraded"

    def test_a_thread_that_ended_is_not_alive(self) -> None:
        runner = Runner(PipelineState(7, "running"), runs=False)
        assert status_of(alive_of([runner])) == "unavailable"
        runner.ident = None
        assert alive_of([runner]) == []


class TestPipelineStates:
    def test_a_phase_that_nobody_knows_is_no_label(self) -> None:
        registry = CollectorRegistry()
        registry.register(PipelineStates([Runner(PipelineState(7, 'x"} 1\nforged 2', lag_records=3))]))
        told = generate_latest(registry).decode()
        assert 'pipeline_phase{phase="other",pipeline_id="7"} 1.0' in told
        assert 'pipeline_lag_records{pipeline_id="7"} 3.0' in told
        assert "forged" not in told
