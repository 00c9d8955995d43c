"""What a bad rule cannot do: stop the others by throwing, or flood them by matching everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sentinel.domain.pipeline import DetectMode
from tests.support.detection import PAYMENT_FIELDS, Job, Workbench, payment
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EVENTS = 3_000
THROWS = "user_id = 'u13' AND amount > 1000"
RULES = {f"over {limit}": f"amount > {limit}" for limit in range(0, 5_000, 100)}


@dataclass(frozen=True)
class Bad:
    """A pipeline with a bad rule, and the rule."""

    id: int
    topic: str
    rule_id: int


@dataclass(frozen=True)
class Served:
    """A driver under which what is by u13 makes a rule throw, if the rule asks for u13."""

    job: Job
    throwing: dict[DetectMode, Bad]
    flooded: Bad


@pytest.fixture(scope="module")
def served(shared_bench: Workbench) -> Iterator[Served]:
    """One driver of all of them: most of a test's time is its start."""
    bench = shared_bench
    throwing = {}
    for mode in DetectMode:
        topic = bench.create_topic(2)
        pipeline_id = bench.create_pipeline(topic, RULES, mode=mode)
        throwing[mode] = Bad(pipeline_id, topic, bench.add_rule(pipeline_id, "throws", THROWS))
        # Every 100th has an amount of 5000; one of them is by u13.
        bench.send(
            topic, [payment(number, user_id=f"u{13 if number == 2_100 else number % 10}") for number in range(EVENTS)]
        )
    topic = bench.create_topic(2)
    pipeline_id = bench.create_pipeline(topic, {"rare": "amount > 1000"}, storm_limit=100)
    flooded = Bad(pipeline_id, topic, bench.add_rule(pipeline_id, "storm", "amount > 0"))
    ids = [*(bad.id for bad in throwing.values()), flooded.id]
    with bench.job(*ids, SENTINEL_TEST_RULE_THROWS="'u13'") as job:
        yield Served(job, throwing, flooded)


@pytest.mark.parametrize("mode", list(DetectMode))
def test_the_culprit_is_quarantined_and_the_fifty_others_lose_nothing(
    shared_bench: Workbench, served: Served, mode: DetectMode
) -> None:
    bench, job, bad = shared_bench, served.job, served.throwing[mode]
    bench.wait_settled(bad.id, bad.topic, job)
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        (found,) = unit.quarantines.of_pipeline(bad.id)
    assert (found.rule_id, found.kafka_partition, found.kafka_offset) == (bad.rule_id, 2_100 % 2, 2_100 // 2)
    assert "injected" in found.cause
    assert found.released_at is None
    assert re.search(rf"rule {bad.rule_id} \(version 1\) throws .* and is quarantined", job.log.read_text())
    alerts = bench.query(
        "SELECT rule_id = %s AS of_culprit, count(*) AS n FROM sentinel.alerts WHERE pipeline_id = %s GROUP BY 1",
        bad.rule_id,
        bad.id,
    )
    # 30 events of 5000 match all fifty; the other 2,970, of 10, match only "over 0".
    assert alerts == [{"of_culprit": False, "n": 30 * 50 + 2_970}]
    assert_reconciled(bench, bad.id)


def test_a_storm_is_counted_and_its_matches_stay_in_the_lake(shared_bench: Workbench, served: Served) -> None:
    bench, job, flooded = shared_bench, served.job, served.flooded
    bench.wait_generation(flooded.id, job)
    for first in (0, 1_000):
        bench.send(flooded.topic, [payment(number) for number in range(first, first + 1_000)])
        bench.wait_settled(flooded.id, flooded.topic, job)
    counted = bench.query(
        "SELECT sum(h.alert_count)::int AS alerts, sum(s.match_count)::int AS suppressed, count(*) AS hours"
        " FROM sentinel.rule_hours h JOIN sentinel.suppressed_counts s USING (pipeline_id, rule_id, hour)"
        " WHERE h.rule_id = %s AND s.cause = 'storm'",
        flooded.rule_id,
    )[0]
    # The run may have crossed an hour.
    assert counted["hours"] <= 2
    assert counted["alerts"] == 100 * counted["hours"]
    assert counted["alerts"] + counted["suppressed"] == 2_000
    alerts = bench.query(
        "SELECT rule_id, count(*)::int AS n FROM sentinel.alerts WHERE pipeline_id = %s GROUP BY 1 ORDER BY 1",
        flooded.id,
    )
    assert [row["n"] for row in alerts] == [20, counted["alerts"]]
    report = assert_reconciled(bench, flooded.id)
    assert report.notes == (f"the storm guard suppressed {counted['suppressed']} matches; they are in the lake",)
    # What nobody counted is lost.
    bench.execute(
        "UPDATE sentinel.suppressed_counts SET match_count = match_count - 1 WHERE rule_id = %s", flooded.rule_id
    )
    with pytest.raises(AssertionError, match=r'"lost": [12]'):
        assert_reconciled(bench, flooded.id)


def test_a_rule_that_is_released_runs_again(shared_bench: Workbench, served: Served) -> None:
    bench = shared_bench
    for bad in served.throwing.values():
        bench.wait_settled(bad.id, bad.topic, served.job)
    assert served.job.stop() == 0
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        for bad in served.throwing.values():
            unit.quarantines.release(bad.rule_id, comment="mended")
    # Nothing is injected any more.
    with bench.job(*(bad.id for bad in served.throwing.values())) as job:
        for bad in served.throwing.values():
            bench.wait_generation(bad.id, job)
            bench.send(bad.topic, [payment(9_900, user_id="u13")])
        for bad in served.throwing.values():
            bench.wait_settled(bad.id, bad.topic, job)
    for bad in served.throwing.values():
        (count,) = bench.query("SELECT count(*) AS n FROM sentinel.alerts WHERE rule_id = %s", bad.rule_id)
        assert count["n"] == 1
        assert_reconciled(bench, bad.id)


def test_a_rule_that_costs_more_than_its_budget_is_taken_out_with_the_figure(bench: Workbench) -> None:
    topic = bench.create_topic(1)
    fields = [*PAYMENT_FIELDS, {"name": "note", "type": "string"}]
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"}, fields=fields)
    costly = bench.add_rule(pipeline_id, "backtracks", "note RLIKE 'a*b'")
    environment = {
        "SENTINEL_JOB__OBSERVE_INTERVAL_SECONDS": "1",
        "SENTINEL_JOB__MEASURING_SHARE": "1",
        "SENTINEL_JOB__RULE_BUDGET_MICROSECONDS": "50",
    }
    with bench.job(pipeline_id, **environment) as job:
        bench.send(topic, [payment(number, note="a" * 400) for number in range(300)])
        bench.wait_settled(pipeline_id, topic, job)
        bench.wait_until(
            "both rules are measured",
            lambda: len(bench.query("SELECT FROM sentinel.rule_costs")) == 2,
            job,
        )
        bench.wait_until(
            "the costly one is out", lambda: bool(bench.query("SELECT FROM sentinel.rule_quarantines")), job
        )
        bench.send(topic, [payment(number, note="b") for number in range(300, 400)])
        bench.wait_until(
            "a generation without it serves",
            lambda: bool(
                bench.query("SELECT FROM sentinel.generations WHERE state = 'active' AND rule_set_version = 3")
            ),
            job,
        )
        bench.send(topic, [payment(number, note="b") for number in range(400, 500)])
        bench.wait_settled(pipeline_id, topic, job)
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        (found,) = unit.quarantines.of_pipeline(pipeline_id)
        cost = unit.outcomes.cost_of(costly)
    assert cost is not None
    assert cost.microseconds > 50
    assert (found.rule_id, found.kafka_offset) == (costly, None)
    assert found.cause.startswith(f"it costs {cost.microseconds:,.0f} microseconds per event, more than the 50")
    alerts = bench.query(
        "SELECT max(kafka_offset) AS last, rule_id = %s AS of_costly FROM sentinel.alerts GROUP BY 2 ORDER BY 2", costly
    )
    assert alerts[0] == {"last": 400, "of_costly": False}
    assert alerts[1]["last"] < 400
    assert_reconciled(bench, pipeline_id)
