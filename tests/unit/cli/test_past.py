"""`sentinel backtest` and `sentinel refill`: what they read and what they show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from sentinel.catalog.backtests import AskedSweep
from sentinel.cli.past import moment, progress_line, read_sweep, show_backtest
from sentinel.domain.engine_task import EngineTask, TaskKind, TaskState
from sentinel.errors import InvalidError

TASK = EngineTask(
    id=7,
    pipeline_id=1,
    kind=TaskKind.BACKTEST,
    state=TaskState.QUEUED,
    request={},
    progress={},
    result=None,
    error=None,
    attempts=0,
    cancel_requested=False,
    created_by="",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    started_at=None,
    heartbeat_at=None,
    finished_at=None,
)
QUALITY = {"precision": 0.5, "recall": None, "f1": 0.25}
RESULT: dict[str, Any] = {
    "event_count": 1200,
    "range": {"from": "a", "to": "b"},
    "seconds": 1.25,
    "labelled": {"true": 1, "false": 2, "none": 0},
    "rules": [
        {
            "rule": {"name": "amount > 500"},
            "matches": 1000,
            "unknown": 3,
            "quality": QUALITY,
            "overlap": [
                {"rule_id": 2, "description": "large", "both": 5, "only_this": 995, "only_that": 1},
                {"rule_id": 3, "description": "none", "both": 0, "only_this": 1000, "only_that": 1},
            ],
        }
    ],
    "sweep": [{"value": "100", "matches": 1100, "quality": QUALITY}],
}


class TestReading:
    def test_a_moment_is_utc_unless_it_says_otherwise(self) -> None:
        assert moment("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
        assert moment("2026-01-31T12:00:00+02:00") == datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))

    @pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01"])
    def test_what_is_no_moment_is_refused_with_an_example(self, text: str) -> None:
        with pytest.raises(InvalidError, match="write 2026-01-31"):
            moment(text)

    def test_a_sweep(self) -> None:
        assert read_sweep("") is None
        assert read_sweep("500=100, 2.5,-3") == AskedSweep(0, "500", (Decimal(100), Decimal("2.5"), Decimal(-3)))

    @pytest.mark.parametrize("text", ["500", "=1", "500=", "500=x", "500=NaN", "500=1,,2"])
    def test_what_is_no_sweep_is_refused_with_an_example(self, text: str) -> None:
        with pytest.raises(InvalidError, match="500=100,250,1000"):
            read_sweep(text)


class TestShowing:
    def test_how_far_it_is(self) -> None:
        assert progress_line(TASK) == f"backtest 7: queued {'':<30}   0%"
        half = replace(TASK, progress={"phase": "evaluating", "done": 0.5})
        assert progress_line(half) == f"backtest 7: evaluating {'#' * 15:<30}  50%"

    def test_a_result(self, capsys: pytest.CaptureFixture[str]) -> None:
        show_backtest(RESULT)
        assert capsys.readouterr().out.splitlines() == [
            "1,200 events from a to b, 1.2 s",
            "rule          matches  unknown  precision  recall      F1",
            "amount > 500    1,000        3     0.5000       -  0.2500",
            "  amount > 500: 5 in common with rule 2 (large), 995 only here, 1 only there",
            "",
            "value  matches  precision  recall      F1",
            "  100    1,100     0.5000       -  0.2500",
        ]

    def test_a_result_without_labels(self, capsys: pytest.CaptureFixture[str]) -> None:
        rule = {**RESULT["rules"][0], "quality": None, "overlap": []}
        show_backtest({**RESULT, "labelled": None, "rules": [rule], "sweep": []})
        assert capsys.readouterr().out.splitlines()[1:] == [
            "rule          matches  unknown",
            "amount > 500    1,000        3",
        ]
