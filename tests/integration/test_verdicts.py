"""What the alert writer makes of matches beside alerts: silence, counts and decisions, without Spark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinel.clock import utc_now
from sentinel.domain.finding import FindingBatch, Match
from sentinel.domain.generation import Generation, Lease
from sentinel.domain.mute import Mute
from sentinel.domain.rule import RuleState, Severity
from sentinel.domain.scorecard import ScorecardContent, Thresholds
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.findings import FindingStore, GenerationFindings
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.sink.alert_writer import without_alert
from tests.support.detection import Workbench

pytestmark = pytest.mark.integration

AT = datetime(2030, 5, 1, 10, 30, tzinfo=UTC)
AT_MS = round(AT.timestamp() * 1000)
HOUR = datetime(2030, 5, 1, 10, tzinfo=UTC)


class Desk:
    """A pipeline with the rules `large` (critical) and `signal` (warning), its lease, and its generations."""

    def __init__(self, bench: Workbench, database: Database) -> None:
        self.bench = bench
        self.database = database
        self.pipeline_id = bench.create_pipeline("a-topic", {}, score_every_event=True)
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            self.rules = {
                name: unit.rules.add(
                    self.pipeline_id, rule_expression=text, severity=severity, description=name, name=name
                ).id
                for name, text, severity in [
                    ("large", "amount > 1000", Severity.CRITICAL),
                    ("signal", "amount > 10", Severity.WARNING),
                ]
            }
        self.ledger = LedgerStore(database, bench.tenant_id)
        lease = self.ledger.acquire_lease(self.pipeline_id, "me", 60)
        assert lease is not None
        self.lease: Lease = lease
        self.ledger.init_progress(lease, {0: 0, 1: 0})
        self.store = FindingStore(database, bench.tenant_id, score_ttl_seconds=3600, plan_evidence=evidence_plan)
        self.generation: Generation | None = None
        self.ends = {0: 0, 1: 0}

    def start(self) -> dict[int, int]:
        """Begin a generation with the configuration of now and return its borders."""
        snapshot = SnapshotStore(self.database, self.bench.tenant_id).current(self.pipeline_id)
        number = self.ledger.create_generation(self.lease, snapshot, reason="test", marker_every=1)
        self.generation = Generation(number, snapshot, 1, dict(self.ends))
        return dict(self.ends)

    def part(self, *matches: Match, borders: dict[int, int] | None = None) -> GenerationFindings:
        for match in matches:
            self.ends[match.partition] = max(self.ends[match.partition], match.offset + 1)
        assert self.generation is not None
        return GenerationFindings(self.generation, FindingBatch(list(matches), next_offsets=dict(self.ends)), borders)

    def commit(self, *parts: GenerationFindings) -> int:
        return self.store.commit(self.lease, list(parts))

    def mute(self, **more: Any) -> Mute:
        wanted = {"rule_id": None, "field": None, "value": None, "expires_at": None, "reason": "noise", **more}
        with self.bench.backend.unit(self.bench.tenant_id, "test") as unit:
            return unit.mutes.add(self.pipeline_id, **wanted)

    def scorecard(self, **weights: int) -> None:
        with self.bench.backend.unit(self.bench.tenant_id, "test") as unit:
            content = ScorecardContent(weights, Thresholds(50, 80))
            cards = unit.scorecards.list(self.pipeline_id)
            if cards:
                unit.scorecards.change(cards[0].id, content, expected_version=None)
            else:
                unit.scorecards.add(self.pipeline_id, "risk", content)

    def alerts(self) -> list[tuple[str, str, int]]:
        rows = self.bench.query(
            "SELECT rule_id, event_id, score FROM sentinel.alerts WHERE pipeline_id = %s ORDER BY 2, 1",
            self.pipeline_id,
        )
        names = {number: name for name, number in self.rules.items()}
        return [(names[row["rule_id"]], row["event_id"], row["score"]) for row in rows]

    def counts(self) -> dict[tuple[str, str], int]:
        with self.bench.backend.unit(self.bench.tenant_id, "test") as unit:
            found = unit.mutes.suppressed(self.pipeline_id, rule_id=None, since=None, until=None, limit=100)
        names = {number: name for name, number in self.rules.items()}
        assert {count.hour for count in found} <= {HOUR}
        return {(names[count.rule_id], count.cause): count.match_count for count in found}

    def decisions(self) -> list[tuple[str, int, str]]:
        rows = self.bench.query(
            "SELECT event_id, score, decision FROM sentinel.decisions WHERE pipeline_id = %s ORDER BY 1",
            self.pipeline_id,
        )
        return [(row["event_id"], row["score"], row["decision"]) for row in rows]


def match(
    offset: int,
    event_id: str,
    *rules: int,
    user: str = "u1",
    at_ms: int = AT_MS,
    partition: int = 0,
    raw: bytes = b"{}",
) -> Match:
    """Return a match; rule 0 is `large`, rule 1 is `signal`."""
    return Match(partition, offset, at_ms, event_id, rules or (0, 1), {"user_id": user}, raw)


@pytest.fixture
def desk(bench: Workbench, database: Database) -> Desk:
    return Desk(bench, database)


class TestSilence:
    def test_a_muted_rule_is_counted_and_raises_no_alert(self, desk: Desk) -> None:
        desk.mute(rule_id=desk.rules["signal"])
        borders = desk.start()
        part = desk.part(match(0, "e1"), match(1, "e2", 1), borders=borders)
        desk.commit(part)
        assert desk.alerts() == [("large", "e1", 80)]
        assert desk.counts() == {("signal", "muted"): 2}
        assert without_alert(part) == ["e2"]

    def test_a_snooze_ends_with_the_timestamp_of_the_record(self, desk: Desk) -> None:
        # The wall clock is years before: it plays no part.
        expires = utc_now() + timedelta(days=300)
        desk.mute(field="user_id", value="u1", expires_at=expires)
        end_ms = round(expires.timestamp() * 1000)
        before = match(0, "before", 0, at_ms=end_ms - 1)
        after, other = match(1, "after", 0, at_ms=end_ms), match(2, "other", 0, user="u2", at_ms=end_ms - 1)
        desk.commit(desk.part(before, after, other, borders=desk.start()))
        assert [event for _, event, _ in desk.alerts()] == ["after", "other"]

    def test_an_entity_is_named_as_alerts_show_it(self, desk: Desk) -> None:
        desk.mute(field="user_id", value="a\ufffdb", expires_at=utc_now() + timedelta(days=1))
        now_ms = round(utc_now().timestamp() * 1000)
        desk.commit(desk.part(match(0, "e1", 0, user="a\x00b", at_ms=now_ms), borders=desk.start()))
        assert desk.alerts() == []

    def test_committing_again_counts_nothing_twice(self, desk: Desk) -> None:
        desk.mute(rule_id=desk.rules["large"])
        part = desk.part(match(0, "e1"), match(1, "e2"), borders=desk.start())
        desk.commit(part)
        again = GenerationFindings(part.generation, part.batch)
        desk.commit(again)
        desk.commit(again, desk.part(match(2, "e3", 0)))
        assert desk.counts() == {("large", "muted"): 3}

    def test_the_border_of_a_generation_is_the_border_of_a_mute(self, desk: Desk) -> None:
        first = desk.part(match(0, "e1", 0), borders=desk.start())
        muted = desk.mute(rule_id=desk.rules["large"])
        second = desk.part(match(1, "e2", 0), borders=desk.start())
        with desk.bench.backend.unit(desk.bench.tenant_id, "test") as unit:
            unit.mutes.end(muted.id)
        third = desk.part(match(2, "e3", 0), borders=desk.start())
        desk.commit(first, second, third)
        assert [event for _, event, _ in desk.alerts()] == ["e1", "e3"]
        assert desk.counts() == {("large", "muted"): 1}


class TestDecisions:
    def test_the_points_of_all_that_matched_decide(self, desk: Desk) -> None:
        desk.scorecard(large=60, signal=30)
        desk.mute(rule_id=desk.rules["signal"])
        borders = desk.start()
        desk.commit(desk.part(match(0, "e1"), match(1, "e2", 0), match(2, "e3", 1), borders=borders))
        assert desk.decisions() == [("e1", 90, "decline"), ("e2", 60, "review"), ("e3", 30, "approve")]

    def test_a_rule_without_points_leaves_no_decision(self, desk: Desk) -> None:
        desk.scorecard(large=60)
        desk.commit(desk.part(match(0, "e1", 1), borders=desk.start()))
        assert desk.decisions() == []

    def test_committing_again_changes_nothing(self, desk: Desk) -> None:
        desk.scorecard(large=60)
        part = desk.part(match(0, "e1", 0), borders=desk.start())
        desk.commit(part)
        desk.commit(GenerationFindings(part.generation, part.batch))
        assert desk.decisions() == [("e1", 60, "review")]

    def test_a_late_duplicate_does_not_decide_again(self, desk: Desk) -> None:
        desk.scorecard(large=60, signal=30)
        desk.commit(desk.part(match(0, "e1", 0), borders=desk.start()))
        desk.commit(desk.part(match(5, "e1", 0, 1, raw=b'{"other": 1}', partition=1)))
        assert desk.decisions() == [("e1", 60, "review")]
        assert len(desk.alerts()) == 2

    def test_each_event_is_decided_by_the_version_of_its_generation(self, desk: Desk) -> None:
        desk.scorecard(large=60)
        first = desk.part(match(0, "e1", 0), borders=desk.start())
        desk.scorecard(large=90)
        second = desk.part(match(1, "e2", 0), match(2, "e1", 0), borders=desk.start())
        desk.commit(first, second)
        assert desk.decisions() == [("e1", 60, "review"), ("e2", 90, "decline")]

    def test_an_event_is_asked_for(self, desk: Desk) -> None:
        desk.scorecard(large=90)
        desk.commit(desk.part(match(0, "e1", 0), match(1, "e2", 1), borders=desk.start()))
        with desk.bench.backend.unit(desk.bench.tenant_id, "test") as unit:
            (found,) = unit.scorecards.decisions_on(desk.pipeline_id, "e1", processed=True)
            assert (found.score, found.decision, found.rule_ids) == (90, "decline", (desk.rules["large"],))
            (clean,) = unit.scorecards.decisions_on(desk.pipeline_id, "e2", processed=True)
            assert (clean.score, clean.decision, clean.decided_at) == (0, "approve", None)
            assert list(unit.scorecards.decisions_on(desk.pipeline_id, "e3", processed=False)) == []


class TestRollout:
    def test_alerts_are_counted_per_arm_and_share(self, desk: Desk) -> None:
        rule_id = desk.rules["large"]

        def roll_out(share: int) -> None:
            with desk.bench.backend.unit(desk.bench.tenant_id, "test") as unit:
                unit.lifecycle.set_candidate_state(rule_id, RuleState.ROLLOUT, expected_version=None, share=share)

        desk.commit(desk.part(match(0, "before", 0), borders=desk.start()))
        with desk.bench.backend.unit(desk.bench.tenant_id, "test") as unit:
            unit.lifecycle.propose(
                rule_id, rule_expression="amount > 500", severity=None, description="", expected_version=None
            )
        roll_out(1000)
        # The rule set is now: large's control, large's candidate, signal.
        small = desk.part(match(1, "e1", 0, user="u1"), match(2, "e2", 1, user="u2"), borders=desk.start())
        roll_out(2000)
        matches = [match(3 + number, f"f{number}", 1, user=f"u{number % 2}") for number in range(4)]
        desk.commit(small, desk.part(*matches, match(9, "e9", 0, user="u9"), borders=desk.start()))
        with desk.bench.backend.unit(desk.bench.tenant_id, "test") as unit:
            counts = unit.lifecycle.arm_counts(unit.rules.get(rule_id))
        assert [
            (count.share, count.is_candidate, count.version, count.match_count, count.entity_count) for count in counts
        ] == [(1000, False, 1, 1, 1), (1000, True, 2, 1, 1), (2000, False, 1, 1, 1), (2000, True, 2, 4, 2)]
