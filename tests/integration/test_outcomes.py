"""Rules that would throw under ANSI, among fifty others: the query runs on, and the rows count as unknown."""

from __future__ import annotations

import json

import pytest

from sentinel.domain.pipeline import DetectMode
from tests.support.detection import Workbench
from tests.support.proof import assert_reconciled

pytestmark = pytest.mark.integration

FIELDS = [
    {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "user_id", "type": "string"},
    {"name": "x", "type": "integer"},
    {"name": "arr", "type": "array<integer>"},
]
DELICATE = {
    "cast": "cast(user_id as int) > 5",
    "division": "100/(x-1) > 20",
    "index": "arr[3] = 4",
    "overflow": "x * 9223372036854775807 > 5",
}
OTHERS = {f"x over {limit}": f"x > {limit}" for limit in range(50)}
EVENTS = [
    {"user_id": "7", "x": 2, "arr": [1, 2, 3, 4]},  # division and cast match, index matches, overflow is unknown
    {"user_id": "no number", "x": 1, "arr": []},  # cast, division, index unknown; overflow matches
    {"user_id": None, "x": None, "arr": None},  # all four unknown, and the fifty others
    {"user_id": "99999999999", "x": 0, "arr": [1]},  # cast unknown, index unknown
    {"user_id": "3", "x": 100, "arr": [0, 0, 0, 5]},  # overflow unknown; the fifty others match
]
UNKNOWN = {
    "cast": {"(not computable)": 2, "user_id": 1},
    "division": {"(not computable)": 1, "x": 1},
    "index": {"(not computable)": 2, "arr": 1},
    "overflow": {"(not computable)": 2, "x": 1},
}
MATCHED = {"cast": 1, "division": 1, "index": 1, "overflow": 1}
ROUNDS = 20


def test_what_cannot_be_computed_is_unknown_and_counted_in_both_modes(bench: Workbench) -> None:
    topic = bench.create_topic(2)
    rules = {**DELICATE, **OTHERS}
    ids = [bench.create_pipeline(topic, rules, fields=FIELDS, mode=mode) for mode in DetectMode]
    records = [
        json.dumps({"id": f"{number}-{place}", **event}).encode()
        for number in range(ROUNDS)
        for place, event in enumerate(EVENTS)
    ]
    with bench.job(*ids, SENTINEL_JOB__OBSERVE_INTERVAL_SECONDS="1") as job:
        bench.send(topic, records)
        for pipeline_id in ids:
            bench.wait_settled(pipeline_id, topic, job)
            bench.wait_observed(pipeline_id, job)
    for pipeline_id in ids:
        assert bench.generations(pipeline_id, "failed") == []
        assert_counted(bench, pipeline_id)
        assert_reconciled(bench, pipeline_id)


def assert_counted(bench: Workbench, pipeline_id: int) -> None:
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        for rule in unit.rules.list(pipeline_id):
            hours = unit.outcomes.of_rule(pipeline_id, rule.id, since=rule.created_at.replace(year=2000))
            name = rule.current.description
            unknown = UNKNOWN.get(name, {"x": 1})
            # x is 2, 1, null, 0 and 100.
            matched = MATCHED.get(name, sum(x > int(name.split()[-1]) for x in (2, 1, 0, 100)) if name in OTHERS else 0)
            missing: dict[str, int] = {}
            for hour in hours:
                for field, count in hour.missing.items():
                    missing[field] = missing.get(field, 0) + count
            assert sum(hour.evaluated for hour in hours) == ROUNDS * len(EVENTS), name
            assert sum(hour.matched for hour in hours) == ROUNDS * matched, name
            assert sum(hour.unknown for hour in hours) == ROUNDS * sum(unknown.values()), name
            assert missing == {field: ROUNDS * count for field, count in unknown.items()}, name
            rest = len(EVENTS) - matched - sum(unknown.values())
            assert sum(hour.not_matched for hour in hours) == ROUNDS * rest, name
