"""The detection job on real servers: both modes, changes under flow, pause, lease, slots.

A driver's start is most of what a test takes: those that can look at pipelines of one driver, in the order of the file.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sentinel.domain.pipeline import DetectMode
from tests.support.detection import PAYMENT_FIELDS, Job, Workbench, definition, payment
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LARGE = {"large": "amount > 1000"}
RULES = {**LARGE, "user 7": "user_id = 'u7'"}
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


@dataclass(frozen=True)
class Pipeline:
    """A pipeline and its topic."""

    id: int
    topic: str


@dataclass(frozen=True)
class Served:
    """The pipelines of one driver, by what happens to them."""

    job: Job
    pipelines: dict[str, Pipeline]


def create(bench: Workbench, partitions: int = 2, mode: DetectMode = DetectMode.REALTIME) -> Pipeline:
    topic = bench.create_topic(partitions)
    return Pipeline(bench.create_pipeline(topic, LARGE, mode=mode), topic)


@pytest.fixture(scope="module")
def served(shared_bench: Workbench) -> Iterator[Served]:
    """A driver of six pipelines in both modes."""
    bench = shared_bench
    topic = bench.create_topic()
    bench.send(topic, RECORDS)
    pipelines = {
        mode.value: Pipeline(bench.create_pipeline(topic, RULES, mode=mode, score_every_event=True), topic)
        for mode in BOTH_MODES
    }
    pipelines |= {f"paused {mode.value}": create(bench, mode=mode) for mode in BOTH_MODES}
    pipelines |= {"changed": create(bench, 4), "taken over": create(bench, 1)}
    with bench.job(*(pipeline.id for pipeline in pipelines.values()), SENTINEL_JOB__REHEARSALS="2") as job:
        yield Served(job, pipelines)


def test_both_modes_agree_on_alerts_dead_letters_scores_and_lake(shared_bench: Workbench, served: Served) -> None:
    bench, job = shared_bench, served.job
    both = [served.pipelines[mode.value] for mode in BOTH_MODES]
    for pipeline in both:
        bench.wait_settled(pipeline.id, pipeline.topic, job)
    realtime, microbatch = [outcome(bench, pipeline.id, job) for pipeline in both]
    assert realtime == microbatch
    assert realtime["by_rule"] == {"large": 22, "user 7": 40}
    assert realtime["dead"] == ["missing_field", "not_an_object", "not_json", "tombstone", "wrong_type"]
    assert realtime["duplicates"] == [("100", True), ("200", False)]
    assert realtime["event_scores"] == 2_002
    assert realtime["lake_rows"] == 2_004


def outcome(bench: Workbench, pipeline_id: int, job: Job) -> dict[str, Any]:
    prefix = f"{bench.tenant_id}:{pipeline_id}:"
    bench.wait_until(
        "all scores are written", lambda: len(bench.redis.keys(f"{prefix}fraud:txn:*")) >= 2_002, job, timeout=60
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


def test_a_rule_and_a_field_take_effect_under_flow_with_exact_borders(shared_bench: Workbench, served: Served) -> None:
    bench, changed = shared_bench, served.pipelines["changed"]
    bench.wait_generation(changed.id, served.job)
    changes: list[str] = []
    looked = 0.0

    def step(_sent: int, seconds: float) -> bool:
        """Change something, and the next thing when that is in force; two seconds of flow before and after each."""
        nonlocal looked
        if seconds < looked + 2:
            return False
        looked = seconds
        if not bench.serves_newest(changed.id):
            assert seconds < 240, served.job.tail()
            return False
        if not changes:
            changes.append("rule")
            bench.add_rule(changed.id, "user 7", "user_id = 'u7'")
        elif len(changes) == 1:
            changes.append("field")
            with bench.backend.unit(bench.tenant_id, "test") as unit:
                added = [definition(field) for field in [*PAYMENT_FIELDS, {"name": "country", "type": "string"}]]
                unit.schemas.put(changed.id, added, expected_version=None, confirm=None)
        else:
            return True
        return False

    sent = bench.send_steadily(changed.topic, 2_000, step)
    bench.wait_settled(changed.id, changed.topic, served.job)
    assert "the rehearsal ended" not in served.job.log.read_text()
    generations = bench.generations(changed.id)
    assert [g["state"] for g in generations] == ["retired", "retired", "active"]
    assert [(g["schema_version"], g["rule_set_version"]) for g in generations] == [(1, 1), (1, 2), (2, 2)]
    assert bench.alerts_by_rule(changed.id)["large"] == (sent + 99) // 100
    borders = bench.query(
        "SELECT partition, start_offset, end_offset FROM sentinel.borders JOIN sentinel.generations g"
        " ON g.id = generation_id WHERE g.pipeline_id = %s ORDER BY partition, generation_id",
        changed.id,
    )
    for before, after in itertools.pairwise(borders):
        if before["partition"] == after["partition"]:
            assert before["end_offset"] == after["start_offset"]
    in_force = bench.query(
        "SELECT count(*) AS n FROM public.fraud_alerts a JOIN sentinel.borders b"
        " ON b.generation_id = a.generation_id AND b.partition = a.kafka_partition WHERE a.pipeline_id = %s"
        " AND (a.kafka_offset < b.start_offset OR a.kafka_offset >= coalesce(b.end_offset, a.kafka_offset + 1))",
        changed.id,
    )
    assert in_force[0]["n"] == 0


def test_in_a_backlog_a_change_begins_where_what_served_ended(shared_bench: Workbench, served: Served) -> None:
    bench, changed = shared_bench, served.pipelines["changed"]
    bench.wait_generation(changed.id, served.job)
    before = bench.alerts_by_rule(changed.id).get("large", 0)
    newest = bench.generations(changed.id)[-1]["id"]
    # The backlog comes in while nothing is read, so that it is one, however fast this machine is.
    bench.set_status(changed.id, "paused")
    phase = "SELECT details->>'phase' AS phase FROM sentinel.leases WHERE pipeline_id = %s"
    bench.wait_until("it is paused", lambda: bench.query(phase, changed.id)[0]["phase"] == "paused", served.job)
    sent = bench.send(changed.topic, (payment(number) for number in range(1_000_000, 1_300_000)))
    bench.set_status(changed.id, "active")
    began = "SELECT FROM sentinel.generations WHERE pipeline_id = %s AND state = 'active' AND id > %s"
    bench.wait_until("it goes on", lambda: bool(bench.query(began, changed.id, newest)), served.job)
    bench.add_rule(changed.id, "user 8", "user_id = 'u8'")
    bench.wait_settled(changed.id, changed.topic, served.job)
    assert "makes room" in served.job.log.read_text()
    found = bench.alerts_by_rule(changed.id)
    assert found["large"] == before + sent // 100
    assert 0 < found["user 8"] < sent // 50
    report = assert_reconciled(bench, changed.id)
    assert report.lake_rows == sum(bench.decided(changed.id).values())


@pytest.mark.parametrize("mode", BOTH_MODES)
def test_a_paused_pipeline_keeps_its_place_and_goes_on_from_there(
    shared_bench: Workbench, served: Served, mode: DetectMode
) -> None:
    bench, job, pipeline = shared_bench, served.job, served.pipelines[f"paused {mode.value}"]
    bench.send(pipeline.topic, [payment(number) for number in range(300)])
    bench.wait_decided(pipeline.id, pipeline.topic, job)
    bench.set_status(pipeline.id, "paused")
    phase = "SELECT details->>'phase' AS phase FROM sentinel.leases WHERE pipeline_id = %s"
    bench.wait_until("it is paused", lambda: bench.query(phase, pipeline.id)[0]["phase"] == "paused", job)
    bench.send(pipeline.topic, [payment(number) for number in range(300, 600)])
    before = bench.decided(pipeline.id)
    assert sum(before.values()) == 300
    bench.set_status(pipeline.id, "active")
    bench.wait_decided(pipeline.id, pipeline.topic, job)
    assert bench.alerts_by_rule(pipeline.id) == {"large": 6}


def test_a_second_driver_waits_until_the_first_is_gone(shared_bench: Workbench, served: Served) -> None:
    bench, first, pipeline = shared_bench, served.job, served.pipelines["taken over"]
    bench.wait_generation(pipeline.id, first)
    with bench.job(pipeline.id) as second:
        bench.wait_until("it waits", lambda: "waiting for the lease" in second.log.read_text(), second)
        bench.send(pipeline.topic, [payment(0)])
        bench.wait_decided(pipeline.id, pipeline.topic, first)
        first.kill()
        bench.send(pipeline.topic, [payment(100)])
        bench.wait_decided(pipeline.id, pipeline.topic, second)
    assert bench.alerts_by_rule(pipeline.id) == {"large": 2}
    epochs = {generation["lease_epoch"] for generation in bench.generations(pipeline.id, "active", "retired")}
    assert len(epochs) == 2


def test_too_few_task_slots_are_an_error_that_says_how_many(bench: Workbench) -> None:
    topic = bench.create_topic(4)
    pipeline_id = bench.create_pipeline(topic, RULES)
    job = bench.start_job(pipeline_id, master="local[3]")
    try:
        assert job.process.wait(240) == 1
    except subprocess.TimeoutExpired:
        job.kill()
        raise
    assert "offers 3 task slots and 10 are needed" in job.log.read_text()


@pytest.fixture(scope="module")
def first_life(shared_bench: Workbench) -> Iterator[Served]:
    """A driver of three pipelines, of which the fourth generation cannot start."""
    bench = shared_bench
    pipelines = {name: create(bench, 1) for name in ("changed", "cut", "made anew")}
    with bench.job(*(each.id for each in pipelines.values()), SENTINEL_TEST_FAULTS="start_generation:4=raise") as job:
        for pipeline in pipelines.values():
            bench.send(pipeline.topic, [payment(number) for number in range(10)])
        for pipeline in pipelines.values():
            bench.wait_settled(pipeline.id, pipeline.topic, job)
        yield Served(job, pipelines)


def test_a_generation_that_cannot_start_leaves_the_old_one_serving(shared_bench: Workbench, first_life: Served) -> None:
    bench, job, pipeline = shared_bench, first_life.job, first_life.pipelines["changed"]
    bench.add_rule(pipeline.id, "user 7", "user_id = 'u7'")
    bench.wait_until("a generation failed", lambda: bool(bench.generations(pipeline.id, "failed")), job)
    bench.send(pipeline.topic, [payment(100)])
    bench.wait_decided(pipeline.id, pipeline.topic, job)
    assert bench.alerts_by_rule(pipeline.id)["large"] == 2
    (failed,) = bench.generations(pipeline.id, "failed")
    assert "InjectedFaultError" in failed["error"]
    bench.wait_newest_serves(pipeline.id, job)
    bench.send(pipeline.topic, [payment(107)])
    bench.wait_decided(pipeline.id, pipeline.topic, job)
    assert bench.alerts_by_rule(pipeline.id) == {"large": 2, "user 7": 1}


@pytest.fixture(scope="module")
def second_life(shared_bench: Workbench, first_life: Served) -> Iterator[Served]:
    """The next driver of these pipelines; while there was none, a topic was cut and another one made anew."""
    bench, pipelines = shared_bench, first_life.pipelines
    assert first_life.job.stop() == 0
    cut, anew = pipelines["cut"], pipelines["made anew"]
    bench.send(cut.topic, [payment(number) for number in range(10, 20)])
    bench.delete_records(cut.topic, {0: 15})
    bench.make_anew(anew.topic, [payment(number) for number in (100, 101)])
    with bench.job(cut.id, anew.id) as job:
        yield Served(job, pipelines)


def test_a_topic_cut_below_the_progress_is_an_alarm_until_an_operator_decides(
    shared_bench: Workbench, second_life: Served
) -> None:
    bench, job, pipeline = shared_bench, second_life.job, second_life.pipelines["cut"]
    bench.wait_until("the alarm is raised", lambda: "lost offsets 10 to 14" in job.log.read_text(), job)
    assert bench.decided(pipeline.id) == {0: 10}
    bench.command("resume-source", str(pipeline.id), "--reason", "retention was too short")
    bench.wait_settled(pipeline.id, pipeline.topic, job)
    (decision,) = bench.query("SELECT * FROM sentinel.source_decisions WHERE pipeline_id = %s", pipeline.id)
    assert (decision["skipped"], decision["recreated"]) == ({"0": [10, 15]}, False)
    counted = "SELECT sum(event_count) AS n FROM sentinel.archive_commits WHERE pipeline_id = %s"
    assert bench.query(counted, pipeline.id)[0]["n"] == 15


def test_a_topic_made_anew_begins_a_new_epoch_when_an_operator_decides(
    shared_bench: Workbench, second_life: Served
) -> None:
    bench, job, pipeline = shared_bench, second_life.job, second_life.pipelines["made anew"]
    bench.wait_until("the alarm is raised", lambda: "ends at 2, 10 was to be next" in job.log.read_text(), job)
    bench.command("resume-source", str(pipeline.id), "--reason", "the broker was rebuilt")
    bench.wait_decided(pipeline.id, pipeline.topic, job)
    # Under the eyes of the job, and with more records than were decided.
    bench.make_anew(pipeline.topic, [payment(number) for number in range(200, 250)])
    bench.wait_until("the alarm is raised", lambda: "made anew: its id was" in job.log.read_text(), job)
    bench.command("resume-source", str(pipeline.id), "--reason", "and again")
    bench.wait_settled(pipeline.id, pipeline.topic, job)
    # Also when the second topic was gone before the lake had its records.
    assert "0 lost, 0 doubled" in bench.command("reconcile", str(pipeline.id))
    assert bench.alerts_by_rule(pipeline.id) == {"large": 3}
    assert {g["source_epoch"] for g in bench.generations(pipeline.id, "active", "retired")} == {0, 1, 2}
