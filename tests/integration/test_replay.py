"""Replay of the shared data sets with exact counts, in one driver and over crashes of it (more: tests/chaos)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentinel.domain.pipeline import DetectMode
from tests.support import card_rules
from tests.support.detection import Job, Workbench
from tests.support.handbook import (
    CONDITIONS,
    FIELDS,
    LIST_RULES,
    RARE,
    read_expected,
    read_lines,
    upload_lists,
    wanted,
)
from tests.support.proof import assert_reconciled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Replayed:
    """A driver of three pipelines: two of the handbook's transactions, one of Sparkov's."""

    job: Job
    handbook: str
    cards: str
    by_row: int
    by_lists: int
    by_card: int


@pytest.fixture(scope="class")
def replayed(shared_bench: Workbench, shared_data: Path) -> Iterator[Replayed]:
    """One driver of all of them: it takes most of its time to start, and the topics are read once each."""
    bench = shared_bench
    handbook, cards = bench.create_topic(), bench.create_topic()
    transactions = read_lines(shared_data / "fraud_handbook")
    assert bench.send(handbook, transactions) == read_expected(shared_data / "fraud_handbook")["rows"] == 134_214
    swipes = read_lines(shared_data / "sparkov")
    assert bench.send(cards, swipes) == read_expected(shared_data / "sparkov")["rows"]
    by_row = bench.create_pipeline(handbook, CONDITIONS, fields=FIELDS)
    upload_lists(bench, shared_data / "fraud_handbook")
    by_lists = bench.create_pipeline(handbook, LIST_RULES, fields=FIELDS)
    by_card = bench.create_pipeline(cards, {}, fields=card_rules.FIELDS)
    for name, rule in card_rules.RULES.items():
        bench.add_rule(by_card, name, rule)
    with bench.job(by_row, by_lists, by_card) as job:
        yield Replayed(job, handbook, cards, by_row, by_lists, by_card)


class TestOneDriver:
    """What one driver of three pipelines finds; it ends with the last of these."""

    def test_rules_of_a_row_give_exactly_the_expected_alerts_and_lake_rows(
        self, shared_bench: Workbench, shared_data: Path, replayed: Replayed
    ) -> None:
        bench = shared_bench
        bench.wait_settled(replayed.by_row, replayed.handbook, replayed.job)
        expected = read_expected(shared_data / "fraud_handbook")
        assert bench.alerts_by_rule(replayed.by_row) == wanted(expected, CONDITIONS)
        assert assert_reconciled(bench, replayed.by_row).lake_rows == 134_214

    def test_rules_with_subqueries_on_lists_give_exactly_the_expected_alerts(
        self, shared_bench: Workbench, shared_data: Path, replayed: Replayed
    ) -> None:
        bench = shared_bench
        bench.wait_settled(replayed.by_lists, replayed.handbook, replayed.job)
        expected = wanted(read_expected(shared_data / "fraud_handbook"), LIST_RULES)
        assert bench.alerts_by_rule(replayed.by_lists) == expected
        assert len(expected) == len(LIST_RULES)
        assert_reconciled(bench, replayed.by_lists)

    def test_rules_of_every_kind_in_both_forms_give_exactly_the_expected_alerts(
        self, shared_bench: Workbench, shared_data: Path, replayed: Replayed
    ) -> None:
        bench = shared_bench
        bench.wait_settled(replayed.by_card, replayed.cards, replayed.job)
        expected = read_expected(shared_data / "sparkov")["rules"]
        assert bench.alerts_by_rule(replayed.by_card) == {name: expected[name]["alerts"] for name in card_rules.RULES}
        assert_reconciled(bench, replayed.by_card)


def crash(bench: Workbench, pipeline_ids: Sequence[int], faults: str) -> int:
    """Start a job and kill it at the named fault, or while it is at work for all; return its exit code."""
    job = bench.start_job(*pipeline_ids, **({"SENTINEL_TEST_FAULTS": faults} if faults else {}))
    before = {each: sum(bench.decided(each).values()) for each in pipeline_ids}
    if faults:
        bench.wait_until(f"{faults} ended the driver", lambda: job.process.poll() is not None)
    else:
        bench.wait_until(
            "all got further",
            lambda: all(sum(bench.decided(each).values()) > before[each] for each in pipeline_ids),
            job,
        )
        job.kill()
    return job.process.returncode


def test_kill_9_in_mid_replay_and_lost_checkpoints_lose_and_double_nothing_in_both_modes(
    bench: Workbench, shared_data: Path
) -> None:
    topic = bench.create_topic()
    ids = [bench.create_pipeline(topic, RARE, fields=FIELDS, mode=mode) for mode in DetectMode]
    transactions = read_lines(shared_data / "fraud_handbook")
    quarter = len(transactions) // 4
    sent = 0
    # Anywhere; after a commit that the findings topic knows nothing of; with the lake written and the ledger not.
    for faults in ("", "after_commit:2=kill", "archive_written:1=kill"):
        sent += bench.send(topic, transactions[sent : sent + quarter])
        assert crash(bench, ids, faults) == -9
        shutil.rmtree(bench.directory / "checkpoints", ignore_errors=True)
    bench.send(topic, transactions[sent:])
    with bench.job(*ids) as last:
        for pipeline_id in ids:
            bench.wait_settled(pipeline_id, topic, last)
    expected = wanted(read_expected(shared_data / "fraud_handbook"), RARE)
    for pipeline_id in ids:
        assert bench.alerts_by_rule(pipeline_id) == expected
        assert assert_reconciled(bench, pipeline_id).lake_rows == 134_214
