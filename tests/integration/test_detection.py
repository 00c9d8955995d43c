"""The detection job on real servers: both modes, changes under flow, pause, lease, slots."""

from __future__ import annotations

import itertools
import json
import subprocess
from typing import Any

import pytest

from sentinel.domain.pipeline import DetectMode
from tests.support.detection import PAYMENT_FIELDS, Job, Workbench, definition, payment

pytestmark = pytest.mark.integration

RULES = {"large": "amount > 1000", "user 7": "user_id = 'u7'"}
BOTH_MODES = [DetectMode.REALTIME, DetectMode.MICROBATCH]

# Record n goes to partition n % 4. An id that comes twice does so in one partition: between two there is no order.
RECORDS: list[bytes | None] = [
    *(payment(number) for number in range(2_000)),
    payment(100),  # the same event again
    b"not json",
    None,
    b"[1]",
    json.dumps({"id": "200", "user_id": "u9", "amount": 7777}).encode(),  # the same id, other content
    b'{"user_id": "u1", "amount": 5}',
    b'{"id": "late", "user_id": "u7", "amount": "much"}',
    b'{"id": "nul", "user_id": "a\\u0000b", "amount": 2000, "note": "\\ud800"}',
    b'{"id": "huge", "user_id": "u1", "amount": 2000, "extra": 1e400}',
]


class TestBothModes:
    def test_agree_on_alerts_dead_letters_scores_and_lake(self, bench: Workbench) -> None:
        topic = bench.create_topic()
        bench.send(topic, RECORDS)
        pipelines = [bench.create_pipeline(topic, RULES, mode=mode, score_every_event=True) for mode in BOTH_MODES]
        with bench.job(*pipelines) as job:
            for pipeline_id in pipelines:
                bench.wait_settled(pipeline_id, topic, job)
            outcomes = [self.outcome(bench, pipeline_id, job) for pipeline_id in pipelines]
        realtime, microbatch = outcomes
        assert realtime == microbatch
        assert realtime["by_rule"] == {"large": 22, "user 7": 40}
        assert realtime["dead"] == ["missing_field", "not_an_object", "not_json", "tombstone", "wrong_type"]
        assert realtime["duplicates"] == [("100", True), ("200", False)]
        assert realtime["event_scores"] == 2_002
        assert realtime["lake_rows"] == 2_004

    def outcome(self, bench: Workbench, pipeline_id: int, job: Job) -> dict[str, Any]:
        prefix = f"{bench.tenant_id}:{pipeline_id}:"
        bench.wait_until(
            "all scores are written", lambda: len(bench.redis.keys(f"{prefix}fraud:txn:*")) >= 2_002, job, timeout=20
        )
        alerts = bench.query(
            "SELECT rule_description, event_id, severity, score, transaction_data, kafka_partition, kafka_offset"
            " FROM public.fraud_alerts WHERE pipeline_id = %s ORDER BY 1, 2",
            pipeline_id,
        )
        dead = bench.query(
            "SELECT cause, field, raw, raw_size_bytes, kafka_partition, kafka_offset FROM sentinel.dead_letters"
            " WHERE pipeline_id = %s ORDER BY kafka_partition, kafka_offset",
            pipeline_id,
        )
        duplicates = bench.query(
            "SELECT event_id, same_content FROM sentinel.event_duplicates WHERE pipeline_id = %s ORDER BY 1",
            pipeline_id,
        )
        lake = bench.query(
            "SELECT sum(event_count) AS events FROM sentinel.archive_commits WHERE pipeline_id = %s", pipeline_id
        )
        keys = sorted(bench.redis.keys(f"{prefix}fraud:*"))
        return {
            "alerts": alerts,
            "by_rule": bench.alerts_by_rule(pipeline_id),
            "dead_letters": dead,
            "dead": sorted(row["cause"] for row in dead),
            "duplicates": [(row["event_id"], row["same_content"]) for row in duplicates],
            "event_scores": len([key for key in keys if ":fraud:txn:" in key]),
            "scores": {key.removeprefix(prefix): bench.redis.get(key) for key in keys},
            "lake_rows": int(lake[0]["events"]),
        }


class TestChangeUnderFlow:
    def test_a_rule_and_a_field_take_effect_with_exact_borders(self, bench: Workbench) -> None:
        topic = bench.create_topic()
        pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
        changes: list[str] = []

        def step(sent: int, seconds: float) -> bool:
            if seconds > 10 and not changes:
                changes.append("rule")
                bench.add_rule(pipeline_id, "user 7", "user_id = 'u7'")
            if seconds > 15 and len(changes) == 1:
                changes.append("field")
                with bench.backend.unit(bench.tenant_id, "test") as unit:
                    added = [definition(field) for field in [*PAYMENT_FIELDS, {"name": "country", "type": "string"}]]
                    unit.schemas.put(pipeline_id, added, expected_version=None, confirm=None)
            return seconds > 20

        with bench.job(pipeline_id) as job:
            bench.wait_generation(pipeline_id, job)
            sent = bench.send_steadily(topic, 2_000, step)
            bench.wait_settled(pipeline_id, topic, job)
        generations = bench.generations(pipeline_id)
        assert [g["state"] for g in generations] == ["retired", "retired", "active"]
        assert [(g["schema_version"], g["rule_set_version"]) for g in generations] == [(1, 1), (1, 2), (2, 2)]
        assert bench.alerts_by_rule(pipeline_id)["large"] == (sent + 99) // 100
        borders = bench.query(
            "SELECT partition, start_offset, end_offset FROM sentinel.borders JOIN sentinel.generations g"
            " ON g.id = generation_id WHERE g.pipeline_id = %s ORDER BY partition, generation_id",
            pipeline_id,
        )
        for before, after in itertools.pairwise(borders):
            if before["partition"] == after["partition"]:
                assert before["end_offset"] == after["start_offset"]
        in_force = bench.query(
            "SELECT count(*) AS n FROM public.fraud_alerts a JOIN sentinel.borders b"
            " ON b.generation_id = a.generation_id AND b.partition = a.kafka_partition WHERE a.pipeline_id = %s"
            " AND (a.kafka_offset < b.start_offset OR a.kafka_offset >= coalesce(b.end_offset, a.kafka_offset + 1))",
            pipeline_id,
        )
        assert in_force[0]["n"] == 0

    def test_a_generation_that_cannot_start_leaves_the_old_one_serving(self, bench: Workbench) -> None:
        topic = bench.create_topic(2)
        pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
        with bench.job(pipeline_id, SENTINEL_TEST_FAULTS="start_generation:2=raise") as job:
            bench.send(topic, [payment(0)])
            bench.wait_decided(pipeline_id, topic, job)
            bench.add_rule(pipeline_id, "user 7", "user_id = 'u7'")
            bench.wait_until("a generation failed", lambda: bool(bench.generations(pipeline_id, "failed")), job)
            bench.send(topic, [payment(100)])
            bench.wait_decided(pipeline_id, topic, job)
            assert bench.alerts_by_rule(pipeline_id) == {"large": 2}
            (failed,) = bench.generations(pipeline_id, "failed")
            assert "InjectedFaultError" in failed["error"]
            bench.wait_until(
                "the next try serves",
                lambda: bench.generations(pipeline_id, "active")[0]["rule_set_version"] == 2,
                job,
                timeout=30,
            )


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_a_paused_pipeline_keeps_its_place_and_goes_on_from_there(bench: Workbench, mode: DetectMode) -> None:
    topic = bench.create_topic(2)
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"}, mode=mode)
    with bench.job(pipeline_id) as job:
        bench.send(topic, [payment(number) for number in range(300)])
        bench.wait_decided(pipeline_id, topic, job)
        bench.set_status(pipeline_id, "paused")
        phase = "SELECT details->>'phase' AS phase FROM sentinel.leases WHERE pipeline_id = %s"
        bench.wait_until("it is paused", lambda: bench.query(phase, pipeline_id)[0]["phase"] == "paused", job)
        bench.send(topic, [payment(number) for number in range(300, 600)])
        before = bench.decided(pipeline_id)
        assert sum(before.values()) == 300
        bench.set_status(pipeline_id, "active")
        bench.wait_decided(pipeline_id, topic, job)
        assert bench.alerts_by_rule(pipeline_id) == {"large": 6}
        assert job.stop() == 0


def test_a_second_driver_waits_until_the_first_is_gone(bench: Workbench) -> None:
    topic = bench.create_topic(1)
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
    with bench.job(pipeline_id) as first:
        bench.wait_generation(pipeline_id, first)
        with bench.job(pipeline_id) as second:
            bench.wait_until("it waits", lambda: "waiting for the lease" in second.log.read_text(), second)
            bench.send(topic, [payment(0)])
            bench.wait_decided(pipeline_id, topic, first)
            first.kill()
            bench.send(topic, [payment(100)])
            bench.wait_decided(pipeline_id, topic, second)
    assert bench.alerts_by_rule(pipeline_id) == {"large": 2}
    epochs = {generation["lease_epoch"] for generation in bench.generations(pipeline_id, "active", "retired")}
    assert len(epochs) == 2


def test_too_few_task_slots_are_an_error_that_says_how_many(bench: Workbench) -> None:
    topic = bench.create_topic(4)
    pipeline_id = bench.create_pipeline(topic, RULES)
    job = bench.start_job(pipeline_id, master="local[3]")
    try:
        assert job.process.wait(90) == 1
    except subprocess.TimeoutExpired:
        job.kill()
        raise
    assert "offers 3 task slots and 10 are needed" in job.log.read_text()


def test_a_topic_cut_below_the_progress_is_an_alarm_until_an_operator_decides(bench: Workbench) -> None:
    topic = bench.create_topic(1)
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
    bench.send(topic, [payment(number) for number in range(10)])
    with bench.job(pipeline_id) as job:
        bench.wait_settled(pipeline_id, topic, job)
    bench.send(topic, [payment(number) for number in range(10, 20)])
    bench.delete_records(topic, {0: 15})
    with bench.job(pipeline_id) as job:
        bench.wait_until("the alarm is raised", lambda: "lost offsets 10 to 14" in job.log.read_text(), job)
        assert bench.decided(pipeline_id) == {0: 10}
        bench.command("resume-source", str(pipeline_id), "--reason", "retention was too short")
        bench.wait_settled(pipeline_id, topic, job)
    (decision,) = bench.query("SELECT * FROM sentinel.source_decisions WHERE pipeline_id = %s", pipeline_id)
    assert (decision["skipped"], decision["recreated"]) == ({"0": [10, 15]}, False)
    counted = "SELECT sum(event_count) AS n FROM sentinel.archive_commits WHERE pipeline_id = %s"
    assert bench.query(counted, pipeline_id)[0]["n"] == 15


def test_a_topic_made_anew_begins_a_new_epoch_when_an_operator_decides(bench: Workbench) -> None:
    topic = bench.create_topic(1)
    pipeline_id = bench.create_pipeline(topic, {"large": "amount > 1000"})
    bench.send(topic, [payment(number) for number in range(10)])
    with bench.job(pipeline_id) as job:
        bench.wait_settled(pipeline_id, topic, job)
    bench.make_anew(topic, [payment(number) for number in (100, 101)])
    with bench.job(pipeline_id) as job:
        bench.wait_until("the alarm is raised", lambda: "ends at 2, 10 was to be next" in job.log.read_text(), job)
        bench.command("resume-source", str(pipeline_id), "--reason", "the broker was rebuilt")
        bench.wait_decided(pipeline_id, topic, job)
        # Under the eyes of the job, and with more records than were decided.
        bench.make_anew(topic, [payment(number) for number in range(200, 250)])
        bench.wait_until("the alarm is raised", lambda: "made anew: its id was" in job.log.read_text(), job)
        bench.command("resume-source", str(pipeline_id), "--reason", "and again")
        bench.wait_settled(pipeline_id, topic, job)
    # Also when the second topic was gone before the lake had its records.
    assert "0 lost, 0 doubled" in bench.command("reconcile", str(pipeline_id))
    assert bench.alerts_by_rule(pipeline_id) == {"large": 3}
    assert {g["source_epoch"] for g in bench.generations(pipeline_id, "active", "retired")} == {0, 1, 2}
