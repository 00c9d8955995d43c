"""A version in shadow, live: evaluated on what the version in force decides, compared, sampled, never alerted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sentinel.domain.pipeline import DetectMode
from sentinel.domain.rule import Rule, RuleState, Severity
from sentinel.domain.trial import Disagreement
from tests.support.detection import Job, Workbench, payment
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Served:
    """A driver of pipelines: a version and a rule in shadow in both modes, a candidate in rollout."""

    job: Job
    topics: dict[int, str]
    shadows: dict[DetectMode, tuple[int, Rule, Rule]]
    rollout: tuple[int, Rule]


@pytest.fixture(scope="module")
def served(shared_bench: Workbench) -> Iterator[Served]:
    """One driver of all of them: most of a test's time is its start."""
    bench = shared_bench
    topics: dict[int, str] = {}
    shadows = {}
    for mode in DetectMode:
        topic = bench.create_topic(2)
        pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"}, mode=mode)
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            (rule,) = unit.rules.list(pipeline_id)
            unit.lifecycle.propose(
                rule.id,
                rule_expression="user_id IN ('u0', 'u7')",
                severity=None,
                description="by user",
                expected_version=None,
            )
            unit.lifecycle.set_candidate_state(rule.id, RuleState.SHADOW, expected_version=None)
            new = unit.rules.add(
                pipeline_id,
                rule_expression="user_id = 'u7'",
                severity=Severity.INFO,
                description="new",
                state=RuleState.SHADOW,
            )
        topics[pipeline_id], shadows[mode] = topic, (pipeline_id, rule, new)
    topic = bench.create_topic(2)
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        (rule,) = unit.rules.list(pipeline_id)
        unit.lifecycle.propose(
            rule.id, rule_expression="amount > 1", severity=None, description="all", expected_version=None
        )
        unit.lifecycle.set_candidate_state(rule.id, RuleState.ROLLOUT, expected_version=None, share=5000)
    topics[pipeline_id] = topic
    bench.send(topic, [payment(number) for number in range(2_000)])
    with bench.job(*topics, SENTINEL_JOB__OBSERVE_INTERVAL_SECONDS="1") as job:
        yield Served(job, topics, shadows, (pipeline_id, rule))


@pytest.mark.parametrize("mode", list(DetectMode))
def test_a_shadow_version_is_compared_and_never_alerts(
    shared_bench: Workbench, served: Served, mode: DetectMode
) -> None:
    bench = shared_bench
    pipeline_id, rule, new = served.shadows[mode]
    topic = served.topics[pipeline_id]
    # Every 100th has an amount of 5000, all of them by u0; u0 and u7 have 20 each of 1000 events.
    bench.send(topic, [payment(number) for number in range(1_000)])
    bench.wait_settled(pipeline_id, topic, served.job)
    bench.wait_observed(pipeline_id, served.job)
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        since = new.created_at.replace(year=2000)
        hours = unit.outcomes.trials_of(rule.id, since=since)
        assert {(hour.version, hour.control_version) for hour in hours} == {(2, 1)}
        assert sum(hour.evaluated for hour in hours) == 1_000
        assert sum(hour.both for hour in hours) == 10
        assert sum(hour.only_trial for hour in hours) == 30
        assert sum(hour.only_control for hour in hours) == 0
        samples = unit.outcomes.samples_of(rule.id)
        assert len(samples) == 20
        assert {sample.kind for sample in samples} == {Disagreement.ONLY_TRIAL}
        assert {int(sample.event_id) % 50 for sample in samples} <= {0, 7}
        fresh = unit.outcomes.trials_of(new.id, since=since)
        assert sum(hour.only_trial for hour in fresh) == 20
        assert {hour.control_version for hour in fresh} == {None}
        # What is in force is counted by itself.
        assert sum(hour.evaluated for hour in unit.outcomes.of_rule(pipeline_id, rule.id, since=since)) == 1_000
    alerts = bench.query(
        "SELECT rule_id, count(*)::int AS n FROM sentinel.alerts WHERE pipeline_id = %s GROUP BY 1", pipeline_id
    )
    assert alerts == [{"rule_id": rule.id, "n": 10}]
    assert_reconciled(bench, pipeline_id)


def test_a_rollout_that_does_something_else_is_taken_back_and_says_why(shared_bench: Workbench, served: Served) -> None:
    bench, job = shared_bench, served.job
    pipeline_id, rule = served.rollout
    topic = served.topics[pipeline_id]
    taken_out = "SELECT FROM sentinel.rule_quarantines WHERE pipeline_id = %s"
    bench.wait_until("the candidate is taken out", lambda: bool(bench.query(taken_out, pipeline_id)), job)
    bench.wait_newest_serves(pipeline_id, job)
    bench.send(topic, [payment(number) for number in range(2_000, 3_000)])
    bench.wait_settled(pipeline_id, topic, job)
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        (found,) = unit.quarantines.of_pipeline(pipeline_id)
    assert found.rule_id == rule.id
    assert found.cause.startswith("the candidate matched 2,000 of 2,000 events, the version in force 20: 1e+02 times")
    alerts = bench.query(
        "SELECT v.version, (a.kafka_offset >= 1000) AS after, count(*)::int AS n FROM sentinel.alerts a"
        " JOIN sentinel.rule_versions v ON v.id = a.rule_version_id"
        " WHERE a.pipeline_id = %s GROUP BY 1, 2 ORDER BY 1, 2",
        pipeline_id,
    )
    by_arm = {(row["version"], row["after"]): row["n"] for row in alerts}
    # Of 50 users some are the candidate's; once it is out, the version in force decides for all of them.
    assert by_arm[2, False] > 100
    assert (2, True) not in by_arm
    assert by_arm[1, True] == 10
    assert_reconciled(bench, pipeline_id)
