"""One engine, live: Real-Time Mode, micro-batches, shadow and rollout find the same matches in the same events.

What reconciliation expects is evaluated anew over the lake, so both modes also equal a backtest. That micro-batches,
backtest and refill are equal however the records are divided is shown without servers (spark/test_one_engine.py).
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from sentinel.domain.pipeline import DetectMode
from sentinel.domain.rule import RuleState, Severity
from sentinel.rules.rollout import bucket
from tests.spark.test_evaluate import FORMS, make_rules
from tests.spark.test_one_engine import HARD, SCHEMA, make_record
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

COUNT = 100_000
TRIED = "country RLIKE '^[A-Z]+$' OR amount IS NULL"
# A tenth of the events may alert: what is compared are matches, and not how fast PostgreSQL takes them.
SOME = "id LIKE '%7'"
FIELDS: list[dict[str, Any]] = [
    field | ({"role": "entity"} if field["name"] == "merchant" else {}) for field in SCHEMA.as_json()
]


def pairs(bench: Workbench, pipeline_id: int) -> set[tuple[str, str]]:
    """Return (rule's description, event id) of every alert."""
    rows = bench.query(
        "SELECT v.description, a.event_id FROM sentinel.alerts a"
        " JOIN sentinel.rule_versions v ON v.id = a.rule_version_id WHERE a.pipeline_id = %s",
        pipeline_id,
    )
    found = {(row["description"], row["event_id"]) for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_hundred_thousand_events_in_every_mode(bench: Workbench) -> None:
    chance = random.Random(8)
    values = [make_record(chance, number) for number in range(COUNT)]
    texts = [*HARD, *(rule.condition for rule in make_rules(len(FORMS), 8))]
    rules = {text: f"({text}) AND {SOME}" for text in dict.fromkeys(texts)}
    topic = bench.create_topic(2)
    ids: dict[DetectMode, int] = {}
    rolled_out: dict[DetectMode, int] = {}
    shadows: dict[DetectMode, dict[str, int]] = {}
    for mode in DetectMode:
        ids[mode] = bench.create_pipeline(
            topic, rules, fields=FIELDS, mode=mode, future_tolerance_seconds=10**9, rollout_max_ratio=0.0
        )
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            shadows[mode] = {
                text: unit.rules.add(
                    ids[mode], rule_expression=rule, severity=Severity.INFO, description="", state=RuleState.SHADOW
                ).id
                for text, rule in rules.items()
            }
            rule = unit.rules.add(
                ids[mode],
                rule_expression=rules[TRIED],
                severity=Severity.INFO,
                description="rolled out",
                state=RuleState.PAUSED,
            )
            unit.lifecycle.set_state(rule.id, RuleState.ROLLOUT, expected_version=None, share=3000, entity="merchant")
            rolled_out[mode] = rule.id
    bench.send(topic, values)
    with bench.job(*ids.values(), SENTINEL_JOB__OBSERVE_INTERVAL_SECONDS="1") as job:
        for pipeline_id in ids.values():
            bench.wait_settled(pipeline_id, topic, job)
        bench.wait_until(
            "all commits are counted",
            lambda: not bench.query("SELECT FROM sentinel.archive_commits WHERE NOT is_observed"),
            job,
        )
    found = {mode: pairs(bench, pipeline_id) for mode, pipeline_id in ids.items()}
    # Which entities are in a share depends on the rule.
    in_force = {mode: {pair for pair in every if pair[0] != "rolled out"} for mode, every in found.items()}
    assert in_force[DetectMode.REALTIME] == in_force[DetectMode.MICROBATCH]
    per_rule = Counter(name for name, _ in in_force[DetectMode.REALTIME])
    assert len(per_rule) > 15
    assert sum(per_rule.values()) > 10_000

    # In rollout: what the same condition finds in force, for the entities of the share. An id that was there twice may
    # be two entities'.
    events = [json.loads(value) for value in values if value.startswith(b'{"id": "e')]
    once = {key for key, times in Counter(event["id"] for event in events).items() if times == 1}
    merchant = {event["id"]: event.get("merchant") for event in events if event["id"] in once}
    for mode in DetectMode:
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            plan = unit.rules.get(rolled_out[mode]).rollout
            assert plan is not None
            since = unit.rules.get(rolled_out[mode]).created_at.replace(year=2000)
            counted = {
                text: sum(hour.only_trial for hour in unit.outcomes.trials_of(rule_id, since=since))
                for text, rule_id in shadows[mode].items()
            }
        same = {event for name, event in found[mode] if name == TRIED and event in once}
        # The salt is the rule's id, so the entities must be so many that no salt leaves none of them.
        share = {
            event
            for event in same
            if merchant[event] is not None and bucket(plan.salt, str(merchant[event])) < plan.share
        }
        assert {event for name, event in found[mode] if name == "rolled out" and event in once} == share
        assert 0 < len(share) < len(same)
        # In shadow every record counts, also one whose event id was there before.
        assert {text for text, matches in counted.items() if matches} == {*per_rule}
        assert all(per_rule[text] <= matches <= 1.2 * per_rule[text] + 9 for text, matches in counted.items())
        assert_reconciled(bench, ids[mode])
