"""Findings to PostgreSQL and on to Redis, without Spark."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass

import pytest

from sentinel.domain.finding import DeadLetter, FindingBatch, Match
from sentinel.domain.generation import Generation, Lease
from sentinel.errors import LeaseLostError
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.stores.postgres.alert_scores import AlertScoreReader
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.findings import FindingStore, GenerationFindings
from sentinel.stores.postgres.ledger import LedgerStore, hold_lease
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.stores.redis.scores import ScoreStore, connect
from sentinel.streaming.sink.score_writer import ScoreWriter
from tests.support.detection import Workbench

pytestmark = pytest.mark.integration

TTL = 3600


@dataclass
class Desk:
    """A pipeline with two rules, its lease, and a generation."""

    bench: Workbench
    database: Database
    pipeline_id: int
    ledger: LedgerStore
    store: FindingStore
    lease: Lease
    generation: Generation

    def match(
        self, offset: int, event_id: str = "e1", *, rules: tuple[int, ...] = (0,), raw: bytes = b'{"a": 1}'
    ) -> Match:
        return Match(0, offset, 1_700_000_000_000, event_id, rules, {"user_id": "u1"}, raw)

    def commit(self, *matches: Match, dead: tuple[DeadLetter, ...] = (), borders: dict[int, int] | None = None) -> int:
        next_offset = max([m.offset for m in matches] + [d.offset for d in dead] + [-1]) + 1
        batch = FindingBatch(list(matches), list(dead), next_offsets={0: next_offset})
        return self.store.commit(self.lease, [GenerationFindings(self.generation, batch, borders)])

    def alerts(self) -> list[dict[str, object]]:
        return self.bench.query("SELECT * FROM sentinel.alerts WHERE pipeline_id = %s ORDER BY id", self.pipeline_id)

    def scores(self) -> tuple[ScoreStore, ScoreWriter]:
        settings = self.bench.settings.redis
        scores = ScoreStore(connect(settings), settings, self.bench.tenant_id, self.pipeline_id)
        alerts = AlertScoreReader(self.database, self.bench.tenant_id, self.pipeline_id, score_ttl_seconds=TTL)
        return scores, ScoreWriter(alerts, scores, name="scores")


@pytest.fixture
def desk(bench: Workbench, database: Database) -> Desk:
    pipeline_id = bench.create_pipeline("a-topic", {"large": "amount > 1000"})
    bench.add_rule(pipeline_id, "user 7", "user_id = 'u7'", severity="warning")
    ledger = LedgerStore(database, bench.tenant_id)
    lease = ledger.acquire_lease(pipeline_id, "me", 60)
    assert lease is not None
    ledger.init_progress(lease, {0: 0})
    snapshot = SnapshotStore(database, bench.tenant_id).current(pipeline_id)
    generation_id = ledger.create_generation(lease, snapshot, reason="test", marker_every=1)
    store = FindingStore(database, bench.tenant_id, score_ttl_seconds=TTL, plan_evidence=evidence_plan)
    return Desk(bench, database, pipeline_id, ledger, store, lease, Generation(generation_id, snapshot, 1, {0: 0}))


class TestFindingStore:
    def test_the_same_findings_twice_add_nothing(self, desk: Desk) -> None:
        letter = DeadLetter(0, 5, 0, "not_json", None, "", b"{", 1)
        assert desk.commit(desk.match(3, rules=(0, 1)), dead=(letter,), borders={0: 0}) == 2
        assert desk.commit(desk.match(3, rules=(0, 1)), dead=(letter,), borders={0: 0}) == 0
        assert len(desk.alerts()) == 2
        (row,) = desk.bench.query("SELECT * FROM sentinel.entity_scores WHERE pipeline_id = %s", desk.pipeline_id)
        assert (row["critical_count"], row["warning_count"], row["info_count"]) == (1, 1, 0)
        assert desk.bench.decided(desk.pipeline_id) == {0: 6}
        assert (
            len(desk.bench.query("SELECT 1 FROM sentinel.dead_letters WHERE pipeline_id = %s", desk.pipeline_id)) == 1
        )
        assert (
            desk.bench.query("SELECT 1 FROM sentinel.event_duplicates WHERE pipeline_id = %s", desk.pipeline_id) == []
        )

    def test_the_same_event_id_at_another_offset_is_noted_once(self, desk: Desk) -> None:
        desk.commit(desk.match(1), desk.match(2), desk.match(3, raw=b'{"a": 2}'), borders={0: 0})
        desk.commit(desk.match(2))
        rows = desk.bench.query(
            "SELECT kafka_offset, same_content FROM sentinel.event_duplicates WHERE pipeline_id = %s ORDER BY 1",
            desk.pipeline_id,
        )
        assert [(row["kafka_offset"], row["same_content"]) for row in rows] == [(2, True), (3, False)]
        assert len(desk.alerts()) == 1

    def test_an_alert_keeps_why_its_rule_matched(self, desk: Desk) -> None:
        raw = b'{"id": "e1", "user_id": "u7", "amount": 5000, "note": "' + b"x" * 10_000 + b'"}'
        desk.commit(desk.match(1, rules=(0, 1), raw=raw), borders={0: 0})
        assert [row["evidence"] for row in desk.alerts()] == [
            [{"condition": "amount > 1000", "values": {"amount": 5000}}],
            [{"condition": "user_id = 'u7'", "values": {"user_id": "u7"}}],
        ]

    @pytest.mark.parametrize(
        ("raw", "value"),
        [
            (b'{"amount": 1e400}', "1e400"),
            (b'{"amount": "a\\u0000b"}', "a\ufffdb"),
            (b'{"amount": "\\ud800"}', "\ufffd"),
            (b'{"amount": 12345678901234567890123}', 12345678901234568000000),
            (b'{"amount": 1, "amount": 2}', 2),
            (b'{"amount": ' + b"[" * 500 + b"]" * 500 + b"}", [[["..."]]]),
            (b"\xff", None),
            (b"[" * 3000 + b"]" * 3000, None),
        ],
    )
    def test_whatever_an_event_holds_its_evidence_is_stored(self, desk: Desk, raw: bytes, value: object) -> None:
        desk.commit(desk.match(1, raw=raw), borders={0: 0})
        assert desk.alerts()[0]["evidence"] == [{"condition": "amount > 1000", "values": {"amount": value}}]

    def test_progress_never_goes_back(self, desk: Desk) -> None:
        desk.commit(desk.match(9), borders={0: 0})
        desk.commit(desk.match(4, "e2"))
        assert desk.bench.decided(desk.pipeline_id) == {0: 10}

    def test_a_driver_that_lost_its_lease_writes_nothing(self, desk: Desk) -> None:
        desk.ledger.release_lease(desk.lease)
        assert desk.ledger.acquire_lease(desk.pipeline_id, "another", 60) is not None
        with pytest.raises(LeaseLostError, match="another driver took over"):
            desk.commit(desk.match(1), borders={0: 0})
        assert desk.alerts() == []
        assert desk.bench.generations(desk.pipeline_id)[0]["state"] == "failed"

    def test_a_commit_that_lasts_keeps_the_lease_from_another_and_not_from_its_own_driver(self, desk: Desk) -> None:
        taken: list[Lease | None] = []
        ask = threading.Thread(target=lambda: taken.append(desk.ledger.acquire_lease(desk.pipeline_id, "another", 60)))
        with desk.database.transaction(desk.bench.tenant_id) as commit:
            hold_lease(commit, desk.lease)
            # Either would raise after 10 s of waiting.
            desk.ledger.renew_lease(desk.lease, 60, {"lag_records": 5})
            desk.ledger.release_lease(desk.lease)
            ask.start()
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
            desk.bench.wait_until("the other waits", lambda: bool(desk.bench.query(waits)), timeout=8)
            assert taken == []
        ask.join(30)
        assert taken == [Lease(desk.pipeline_id, "another", desk.lease.epoch + 1)]

    def test_a_valid_lease_is_not_given_to_another(self, desk: Desk) -> None:
        assert desk.ledger.acquire_lease(desk.pipeline_id, "another", 60) is None

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"a": "x\\u0000y"}',
            b'{"a": "\\ud800"}',
            b'{"a": 1e400, "b": -1e-400}',
            b'{"a": ' + b"1" * 140_000 + b"}",
            b'{"a": 0.' + b"1" * 20_000 + b"}",
            b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"a": 1, "a": 2}',
            b'{"' + b"k" * 300_000 + b'": 1}',
        ],
    )
    def test_no_content_of_an_event_stops_the_writer(self, desk: Desk, raw: bytes) -> None:
        assert desk.commit(desk.match(1, raw=raw), desk.match(2, "e2"), borders={0: 0}) == 2
        assert len(desk.alerts()) == 2

    def test_an_activated_generation_ends_the_one_before_at_its_borders(self, desk: Desk) -> None:
        desk.commit(desk.match(4), borders={0: 0})
        first = desk.generation
        snapshot = first.snapshot
        second_id = desk.ledger.create_generation(desk.lease, snapshot, reason="test", marker_every=1)
        desk.generation = Generation(second_id, snapshot, 1, {0: 4})
        desk.commit(desk.match(7, "e2"), borders={0: 5})
        rows = desk.bench.query(
            "SELECT start_offset, end_offset FROM sentinel.borders WHERE generation_id = ANY(%s) ORDER BY start_offset",
            [first.generation_id, second_id],
        )
        assert [(row["start_offset"], row["end_offset"]) for row in rows] == [(0, 5), (5, None)]
        assert [g["state"] for g in desk.bench.generations(desk.pipeline_id)] == ["retired", "active"]
        assert desk.ledger.last_active_versions(desk.pipeline_id) == (1, snapshot.rule_set.version)


class TestMinutes:
    """What is counted of each minute: what figures over time are made of."""

    def minutes(self, desk: Desk, *columns: str) -> list[tuple[object, ...]]:
        rows = desk.bench.query(
            "SELECT * FROM sentinel.detection_minutes WHERE pipeline_id = %s ORDER BY minute", desk.pipeline_id
        )
        return [tuple(row[column] for column in columns) for row in rows]

    def total(self, desk: Desk) -> tuple[int, int]:
        found = self.minutes(desk, "decided_count", "dead_count")
        return sum(int(str(decided)) for decided, _ in found), sum(int(str(dead)) for _, dead in found)

    def test_what_is_committed_twice_counts_once(self, desk: Desk) -> None:
        letter = DeadLetter(0, 5, 0, "not_json", None, "", b"{", 1)
        for _ in range(2):
            desk.commit(desk.match(3), dead=(letter,), borders={0: 0})
        assert self.total(desk) == (6, 1)
        desk.commit(desk.match(9, "e2"))
        assert self.total(desk) == (10, 1)

    def test_offsets_that_jump_stop_no_commit(self, desk: Desk) -> None:
        for jump in (2**40, 2**41):
            desk.commit(desk.match(jump, f"e{jump}"), borders={0: 0})
        assert desk.bench.decided(desk.pipeline_id) == {0: 2**41 + 1}
        assert {decided for (decided,) in self.minutes(desk, "decided_count")} == {2**31 - 1}

    def test_alerts_count_by_severity_where_they_are_new(self, desk: Desk) -> None:
        for _ in range(2):
            desk.commit(desk.match(3, rules=(0, 1)), borders={0: 0})
        rows = desk.bench.query(
            "SELECT sum(critical_count)::bigint AS critical, sum(warning_count)::bigint AS warning "
            "FROM sentinel.alert_minutes WHERE pipeline_id = %s",
            desk.pipeline_id,
        )
        assert [(row["critical"], row["warning"]) for row in rows] == [(1, 1)]

    def test_the_worst_lag_of_a_minute_stays(self, desk: Desk) -> None:
        for lag in (5, 90, 7, None):
            desk.ledger.renew_lease(desk.lease, 60, {"lag_records": lag})
        assert max(int(str(lag)) for (lag,) in self.minutes(desk, "lag_records")) == 90
        assert self.total(desk) == (0, 0)

    def test_a_driver_that_lost_its_lease_says_nothing_of_the_lag(self, desk: Desk) -> None:
        desk.ledger.release_lease(desk.lease)
        assert desk.ledger.acquire_lease(desk.pipeline_id, "another", 60) is not None
        with pytest.raises(LeaseLostError):
            desk.ledger.renew_lease(desk.lease, 60, {"lag_records": 5})
        assert self.minutes(desk, "lag_records") == []

    def test_minutes_are_forgotten_after_eight_days(self, desk: Desk) -> None:
        with desk.database.transaction(desk.bench.tenant_id) as tx:
            for days in (7, 9):
                old = {"pipeline": desk.pipeline_id, "tenant": desk.bench.tenant_id, "days": days}
                tx.execute(
                    "INSERT INTO sentinel.detection_minutes VALUES (%(pipeline)s, %(tenant)s, "
                    "now() - make_interval(days => %(days)s), %(days)s, 0, NULL)",
                    old,
                )
                tx.execute(
                    "INSERT INTO sentinel.alert_minutes VALUES (%(tenant)s, %(pipeline)s, "
                    "now() - make_interval(days => %(days)s), %(days)s, 0, 0)",
                    old,
                )
        desk.commit(desk.match(3), borders={0: 0})
        assert [decided for (decided,) in self.minutes(desk, "decided_count")][:1] == [7]
        kept = desk.bench.query(
            "SELECT critical_count FROM sentinel.alert_minutes WHERE pipeline_id = %s ORDER BY minute", desk.pipeline_id
        )
        assert [row["critical_count"] for row in kept] == [7, 1]


class TestScoreWriter:
    def test_scores_follow_the_alerts(self, desk: Desk) -> None:
        scores, writer = desk.scores()
        desk.commit(desk.match(1, rules=(0, 1)), desk.match(2, "e2", rules=(1,)), borders={0: 0})
        assert writer.catch_up() is False
        assert (scores.event_score("e1"), scores.event_score("e2"), scores.event_score("e3")) == (88, 40, None)
        key = scores.entity_key("user_id", "u1")
        assert int(desk.bench.redis.get(key)) == round(100 * (1 - 0.2 * 0.6 * 0.6))
        assert 0 < desk.bench.redis.ttl(key) <= desk.bench.settings.redis.score_ttl_seconds

    def test_a_redis_that_lost_its_data_is_filled_again_with_the_same(self, desk: Desk) -> None:
        _scores, writer = desk.scores()
        desk.commit(desk.match(1, rules=(0, 1)), borders={0: 0})
        writer.catch_up()
        pattern = f"{desk.bench.tenant_id}:{desk.pipeline_id}:*"
        before = {key: desk.bench.redis.get(key) for key in desk.bench.redis.keys(pattern)}
        desk.bench.redis.delete(*before)
        writer.catch_up()
        assert {key: desk.bench.redis.get(key) for key in desk.bench.redis.keys(pattern)} == before
        assert len(before) == 3

    def test_a_clean_event_never_lowers_a_score(self, desk: Desk) -> None:
        scores, writer = desk.scores()
        desk.commit(desk.match(1), borders={0: 0})
        writer.catch_up()
        scores.write_clean(["e1", "e9"])
        assert (scores.event_score("e1"), scores.event_score("e9")) == (80, 0)

    def test_entity_counts_begin_anew_after_a_quiet_time(self, desk: Desk) -> None:
        desk.commit(desk.match(1), borders={0: 0})
        desk.bench.execute(
            "UPDATE sentinel.entity_scores SET updated_at = now() - interval '2 hours' WHERE pipeline_id = %s",
            desk.pipeline_id,
        )
        desk.commit(desk.match(2, "e2", rules=(1,)))
        (row,) = desk.bench.query("SELECT * FROM sentinel.entity_scores WHERE pipeline_id = %s", desk.pipeline_id)
        assert (row["critical_count"], row["warning_count"]) == (0, 1)


def test_alert_rows_keep_the_event_as_it_came(desk: Desk) -> None:
    raw = json.dumps({"id": "e1", "extra": {"deep": [1, 2.5, None, "é"]}}).encode()
    desk.commit(desk.match(1, raw=raw), borders={0: 0})
    (alert,) = desk.alerts()
    assert alert["transaction_data"] == json.loads(raw)
