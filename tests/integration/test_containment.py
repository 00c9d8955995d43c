"""What a bad rule cannot do: stop the others by throwing, or flood them by matching everything."""

from __future__ import annotations

import pytest

from sentinel.domain.pipeline import DetectMode
from tests.support.detection import PAYMENT_FIELDS, Workbench, payment
from tests.support.proof import assert_reconciled

pytestmark = pytest.mark.integration

EVENTS = 3_000
RULES = {f"over {limit}": f"amount > {limit}" for limit in range(0, 5_000, 100)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", list(DetectMode))
def test_the_culprit_is_quarantined_and_the_fifty_others_lose_nothing(bench: Workbench, mode: DetectMode) -> None:
    topic = bench.create_topic(2)
    pipeline_id = bench.create_pipeline(topic, RULES, mode=mode)
    culprit = bench.add_rule(pipeline_id, "throws", "user_id = 'u13' AND amount > 1000")
    # Every 100th has an amount of 5000; one of them is by u13.
    bench.send(
        topic, [payment(number, user_id=f"u{13 if number == 2_100 else number % 10}") for number in range(EVENTS)]
    )
    with bench.job(pipeline_id, SENTINEL_TEST_RULE_THROWS="'u13'") as job:
        bench.wait_decided(pipeline_id, topic, job, timeout=300)
        bench.wait_settled(pipeline_id, topic, job)
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            (found,) = unit.quarantines.of_pipeline(pipeline_id)
        assert (found.rule_id, found.kafka_partition, found.kafka_offset) == (culprit, 2_100 % 2, 2_100 // 2)
        assert "injected" in found.cause
        assert found.released_at is None
    assert "is quarantined" in job.log.read_text()
    alerts = bench.query(
        "SELECT rule_id = %s AS of_culprit, count(*) AS n FROM sentinel.alerts WHERE pipeline_id = %s GROUP BY 1",
        culprit,
        pipeline_id,
    )
    # 30 events of 5000 match all fifty; the other 2,970, of 10, match only "over 0".
    assert alerts == [{"of_culprit": False, "n": 30 * 50 + 2_970}]
    assert_reconciled(bench, pipeline_id)

    # Released, it runs again: nothing is injected any more.
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        unit.quarantines.release(culprit, comment="mended")
    with bench.job(pipeline_id) as job:
        bench.wait_generation(pipeline_id, job)
        bench.send(topic, [payment(9_900, user_id="u13")])
        bench.wait_settled(pipeline_id, topic, job)
    (count,) = bench.query("SELECT count(*) AS n FROM sentinel.alerts WHERE rule_id = %s", culprit)
    assert count["n"] == 1
    assert_reconciled(bench, pipeline_id)


def test_a_storm_is_counted_and_its_matches_stay_in_the_lake(bench: Workbench) -> None:
    topic = bench.create_topic(2)
    pipeline_id = bench.create_pipeline(topic, {"rare": "amount > 1000"}, storm_limit=100)
    storm = bench.add_rule(pipeline_id, "storm", "amount > 0")
    with bench.job(pipeline_id) as job:
        bench.wait_generation(pipeline_id, job)
        bench.send(topic, [payment(number) for number in range(1_000)])
        bench.wait_settled(pipeline_id, topic, job)
        bench.send(topic, [payment(number) for number in range(1_000, 2_000)])
        bench.wait_settled(pipeline_id, topic, job)
    counted = bench.query(
        "SELECT sum(h.alert_count)::int AS alerts, sum(s.match_count)::int AS suppressed, count(*) AS hours"
        " FROM sentinel.rule_hours h JOIN sentinel.suppressed_counts s USING (pipeline_id, rule_id, hour)"
        " WHERE h.rule_id = %s AND s.cause = 'storm'",
        storm,
    )[0]
    # The run may have crossed an hour.
    assert counted["hours"] <= 2
    assert counted["alerts"] == 100 * counted["hours"]
    assert counted["alerts"] + counted["suppressed"] == 2_000
    alerts = bench.query("SELECT rule_id, count(*)::int AS n FROM sentinel.alerts GROUP BY 1 ORDER BY 1")
    assert [row["n"] for row in alerts] == [20, counted["alerts"]]
    report = assert_reconciled(bench, pipeline_id)
    assert report.notes == (f"the storm guard suppressed {counted['suppressed']} matches; they are in the lake",)
    # What nobody counted is lost.
    bench.execute("UPDATE sentinel.suppressed_counts SET match_count = match_count - 1 WHERE rule_id = %s", storm)
    with pytest.raises(AssertionError, match=r'"lost": [12]'):
        assert_reconciled(bench, pipeline_id)


def test_a_rule_that_costs_more_than_its_budget_is_taken_out_with_the_figure(bench: Workbench) -> None:
    topic = bench.create_topic(1)
    fields = [*PAYMENT_FIELDS, {"name": "note", "type": "string"}]
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"}, fields=fields)
    costly = bench.add_rule(pipeline_id, "backtracks", "note RLIKE 'a*b'")
    with bench.job(pipeline_id, SENTINEL_JOB__OBSERVE_INTERVAL_SECONDS="1", SENTINEL_JOB__MEASURING_SHARE="1") as job:
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
