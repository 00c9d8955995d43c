"""When findings are committed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sentinel.domain.finding import FindingBatch, Match
from sentinel.domain.generation import Generation
from sentinel.stores.postgres.findings import GenerationFindings
from sentinel.streaming.sink.alert_writer import FRESH_PAUSE_SECONDS, PROGRESS_SECONDS, collect, pause_before_commit
from tests.unit.streaming.builders import make_snapshot

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE = Generation(1, make_snapshot(), 1, {0: 0})
TWO = Generation(2, make_snapshot(), 1, {0: 5})


def match(age_seconds: float) -> Match:
    return Match(0, 7, int((NOW.timestamp() - age_seconds) * 1000), "e", (0,), {}, b"{}")


def findings(generation: Generation, *matches: Match, borders: dict[int, int] | None = None) -> GenerationFindings:
    return GenerationFindings(generation, FindingBatch(list(matches), next_offsets={0: 8}), borders)


class TestPause:
    @pytest.mark.parametrize(
        ("pending", "took_seconds", "expected"),
        [
            ([findings(ONE, match(0.01))], 0.01, 0.01),
            ([findings(ONE, match(0.01))], 60.0, FRESH_PAUSE_SECONDS),
            ([findings(ONE, match(3600), match(0.01))], 0.01, 0.01),
            ([findings(ONE, match(3600))], 0.01, 0.05),
            ([findings(ONE, match(3600))], 60.0, PROGRESS_SECONDS),
            ([findings(ONE, match(3600)), findings(TWO, borders={0: 8})], 0.01, 0.0),
            ([findings(ONE)], 0.01, PROGRESS_SECONDS),
        ],
        ids=[
            "alert",
            "alert on a busy machine",
            "one of them is fresh",
            "backlog",
            "slow commits",
            "borders",
            "progress alone",
        ],
    )
    def test_alerts_wait_for_as_long_as_a_commit_takes_and_a_backlog_for_longer(
        self, pending: list[GenerationFindings], took_seconds: float, expected: float
    ) -> None:
        assert pause_before_commit(pending, NOW, took_seconds) == pytest.approx(expected)


class TestCollect:
    def test_findings_of_one_generation_are_joined(self) -> None:
        pending = [findings(ONE, match(1))]
        collect([findings(ONE, match(2))], pending)
        assert [len(part.batch.matches) for part in pending] == [2]

    def test_borders_and_another_generation_begin_a_new_part(self) -> None:
        pending = [findings(ONE, match(1))]
        collect([findings(TWO, match(2), borders={0: 8})], pending)
        collect([findings(TWO, match(3))], pending)
        assert [(part.generation.generation_id, len(part.batch.matches)) for part in pending] == [(1, 1), (2, 2)]
        assert [part.borders for part in pending] == [None, {0: 8}]
