"""A version in shadow, live: evaluated on what the version in force decides, compared, sampled, never alerted."""

from __future__ import annotations

import pytest

from sentinel.domain.pipeline import DetectMode
from sentinel.domain.rule import RuleState, Severity
from sentinel.domain.trial import Disagreement
from tests.support.detection import Workbench, payment
from tests.support.proof import assert_reconciled

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("mode", list(DetectMode))
def test_a_shadow_version_is_compared_and_never_alerts(bench: Workbench, mode: DetectMode) -> None:
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
    with bench.job(pipeline_id, SENTINEL_JOB__OBSERVE_INTERVAL_SECONDS="1") as job:
        # Every 100th has an amount of 5000, all of them by u0; u0 and u7 have 20 each of 1000 events.
        bench.send(topic, [payment(number) for number in range(1_000)])
        bench.wait_settled(pipeline_id, topic, job)
        bench.wait_until(
            "all commits are counted",
            lambda: not bench.query("SELECT FROM sentinel.archive_commits WHERE NOT is_observed"),
            job,
        )
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
    alerts = bench.query("SELECT rule_id, count(*)::int AS n FROM sentinel.alerts GROUP BY 1")
    assert alerts == [{"rule_id": rule.id, "n": 10}]
    assert_reconciled(bench, pipeline_id)


def test_a_rollout_that_does_something_else_is_taken_back_and_says_why(bench: Workbench) -> None:
    topic = bench.create_topic(2)
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        (rule,) = unit.rules.list(pipeline_id)
        unit.lifecycle.propose(
            rule.id, rule_expression="amount > 1", severity=None, description="all", expected_version=None
        )
        unit.lifecycle.set_candidate_state(rule.id, RuleState.ROLLOUT, expected_version=None, share=5000)
    bench.send(topic, [payment(number) for number in range(2_000)])
    with bench.job(pipeline_id, SENTINEL_JOB__OBSERVE_INTERVAL_SECONDS="1") as job:
        bench.wait_until(
            "a generation without the candidate serves",
            lambda: bool(
                bench.query(
                    "SELECT FROM sentinel.generations g JOIN sentinel.pipelines p ON p.id = g.pipeline_id"
                    " JOIN sentinel.rule_quarantines q ON q.pipeline_id = p.id"
                    " WHERE g.state = 'active' AND g.rule_set_version = p.rule_set_version"
                )
            ),
            job,
        )
        bench.send(topic, [payment(number) for number in range(2_000, 3_000)])
        bench.wait_settled(pipeline_id, topic, job)
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        (found,) = unit.quarantines.of_pipeline(pipeline_id)
    assert found.rule_id == rule.id
    assert found.cause.startswith("the candidate matched 2,000 of 2,000 events, the version in force 20: 1e+02 times")
    alerts = bench.query(
        "SELECT v.version, (a.kafka_offset >= 1000) AS after, count(*)::int AS n FROM sentinel.alerts a"
        " JOIN sentinel.rule_versions v ON v.id = a.rule_version_id GROUP BY 1, 2 ORDER BY 1, 2"
    )
    by_arm = {(row["version"], row["after"]): row["n"] for row in alerts}
    # Of 50 users some are the candidate's; once it is out, the version in force decides for all of them.
    assert by_arm[2, False] > 100
    assert (2, True) not in by_arm
    assert by_arm[1, True] == 10
    assert_reconciled(bench, pipeline_id)
