"""Rules that refer to rules, are muted, snoozed, rolled out and promoted while events flow: nothing lost or extra."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sentinel.clock import utc_now
from sentinel.domain.pipeline import DetectMode
from sentinel.domain.rule import RuleState, Severity
from sentinel.domain.scorecard import ScorecardContent, Thresholds
from sentinel.rules.rollout import bucket
from sentinel.wiring import Unit
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = pytest.mark.integration

WATCHED = ("u1", "u2", "u3")
RATE = 200


class Watch:
    """A pipeline with a rule `watched`, and a rule `small` that refers to it."""

    def __init__(self, bench: Workbench, topic: str, mode: DetectMode) -> None:
        self.bench = bench
        self.pipeline_id = bench.create_pipeline(topic, {}, mode=mode)
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            self.watched = self.add(unit, "watched", "user_id IN ('u1', 'u2', 'u3')")
            self.small = self.add(unit, "small", "rule('watched') AND amount < 100")

    def add(self, unit: Unit, name: str, expression: str) -> int:
        return unit.rules.add(
            self.pipeline_id, rule_expression=expression, severity=Severity.INFO, description=name, name=name
        ).id

    def steps(self) -> list[Callable[[Unit], Any]]:
        """What is changed, one after the other."""
        soon = utc_now() + timedelta(hours=1)
        silent: dict[str, Any] = {"field": None, "value": None, "expires_at": None, "reason": "test"}
        card = ScorecardContent({"watched": 40, "small": 20}, Thresholds(50, 80))
        return [
            lambda unit: (
                unit.mutes.add(self.pipeline_id, **{**silent, "rule_id": self.watched}),
                unit.scorecards.add(self.pipeline_id, "risk", card),
            ),
            lambda unit: unit.rules.change(
                self.watched, rule_expression="user_id IN ('u3', 'u2', 'u1')", severity=Severity.INFO,
                description="watched", expected_version=None,
            ),
            lambda unit: (
                unit.lifecycle.propose(
                    self.small, rule_expression="rule('watched') AND amount < 1000", severity=None,
                    description="small", expected_version=None,
                ),
                unit.lifecycle.set_candidate_state(
                    self.small, RuleState.ROLLOUT, expected_version=None, share=5000
                ),
            ),
            lambda unit: unit.mutes.add(
                self.pipeline_id,
                **{**silent, "rule_id": self.small, "field": "user_id", "value": "u3", "expires_at": soon},
            ),
            lambda unit: unit.lifecycle.promote(self.small, expected_version=None),
        ]  # fmt: skip

    def suppressed(self) -> dict[tuple[int, str], int]:
        rows = self.bench.query(
            "SELECT rule_id, cause, sum(match_count)::bigint AS n FROM sentinel.suppressed_counts"
            " WHERE pipeline_id = %s GROUP BY 1, 2",
            self.pipeline_id,
        )
        return {(row["rule_id"], row["cause"]): row["n"] for row in rows}

    def alerts(self) -> list[dict[str, Any]]:
        return self.bench.query(
            "SELECT a.rule_id, v.version, a.entities ->> 'user_id' AS user_id, rs.members -> 'arms' AS arms"
            " FROM sentinel.alerts a JOIN sentinel.rule_versions v ON v.id = a.rule_version_id"
            " JOIN sentinel.generations g ON g.id = a.generation_id"
            " JOIN sentinel.rule_sets rs ON rs.pipeline_id = g.pipeline_id AND rs.version = g.rule_set_version"
            " WHERE a.pipeline_id = %s",
            self.pipeline_id,
        )


@pytest.mark.timeout(900)
def test_every_change_has_exact_borders_in_both_modes(bench: Workbench) -> None:
    topic = bench.create_topic(2)
    watches = [Watch(bench, topic, mode) for mode in DetectMode]
    steps = [watch.steps() for watch in watches]
    done, looked_at, settled_at = 0, 0.0, 0.0

    def step(_: int, seconds: float) -> bool:
        """Make the next change once the one before has served for three seconds."""
        nonlocal done, looked_at, settled_at
        if seconds < looked_at + 0.5:
            return False
        looked_at = seconds
        if not all(bench.serves_newest(watch.pipeline_id) for watch in watches):
            settled_at = seconds
        if seconds < settled_at + 3:
            return False
        if done < len(steps[0]):
            for of_watch in steps:
                with bench.backend.unit(bench.tenant_id, "test") as unit:
                    of_watch[done](unit)
        done += 1
        return done > len(steps[0])

    with bench.job(*(watch.pipeline_id for watch in watches)) as job:
        sent = bench.send_steadily(topic, RATE, step)
        for watch in watches:
            # One commit per generation at least.
            bench.wait_settled(watch.pipeline_id, topic, job)
    for watch in watches:
        assert_accounted(watch, sent)


def assert_accounted(watch: Watch, sent: int) -> None:
    """Every match is an alert or is counted as suppressed, by the version that decided for its user."""
    users = [f"u{number % 50}" for number in range(sent)]
    amounts = [5000 if number % 100 == 0 else 10 for number in range(sent)]
    watched = sum(user in WATCHED for user in users)
    small = sum(user in WATCHED and amount < 100 for user, amount in zip(users, amounts, strict=True))
    assert_reconciled(watch.bench, watch.pipeline_id)
    alerts, suppressed = watch.alerts(), watch.suppressed()
    # Every match is an alert or is counted: neither, nor both.
    by_rule = {rule: sum(a["rule_id"] == rule for a in alerts) for rule in (watch.watched, watch.small)}
    assert set(suppressed) == {(watch.watched, "muted"), (watch.small, "snoozed")}
    assert by_rule[watch.watched] + suppressed[watch.watched, "muted"] == watched
    assert by_rule[watch.small] + suppressed[watch.small, "snoozed"] == small
    trial = [alert for alert in alerts if alert["arms"] and alert["rule_id"] == watch.small]
    arms = {(alert["user_id"], alert["version"]) for alert in trial}
    salt = f"rule-{watch.small}-v2"
    assert arms == {(user, 2 if bucket(salt, user) < 5000 else 1) for user in WATCHED}
    assert {alert["version"] for alert in alerts if alert["rule_id"] == watch.small} == {1, 2}
    decisions = watch.bench.query(
        "SELECT score, decision, count(*) AS n FROM sentinel.decisions WHERE pipeline_id = %s GROUP BY 1, 2",
        watch.pipeline_id,
    )
    assert {(row["score"], row["decision"]) for row in decisions} == {(60, "review")}
    assert 0 < decisions[0]["n"] < watched
