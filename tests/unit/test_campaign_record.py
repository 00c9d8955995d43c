"""The record of the fault campaign: what counts as green in a row, over runs in parts."""

from __future__ import annotations

from pathlib import Path

from sentinel.domain.pipeline import DetectMode
from tests.chaos.ground import Case, Outcome
from tests.chaos.record import Record
from tests.chaos.report import report

CASE = Case("Kafka killed", "kill -9 of the broker", lambda _ground: None, modes=(DetectMode.REALTIME,))


def outcome(silence: float) -> Outcome:
    return Outcome(CASE.name, "realtime", 1000, 10, 1, 0, silence, 30.0)


def test_a_failure_stays_and_the_count_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "reliability.json"
    first = Record(path)
    first.add(outcome(99.0))
    first.add_failure(CASE.name, "realtime", AssertionError("9 alerts in place of 10\n\nmore"))
    first.add(outcome(1.0))
    second = Record(path)
    second.load()
    second.add(outcome(2.0))
    second.add_failure(CASE.name, "microbatch", TimeoutError())
    assert [run["silence_seconds"] for run in second.in_a_row(CASE.name, "realtime")] == [2.0, 1.0]
    assert second.failures(CASE.name, "realtime") == 1
    assert [run["why"] for run in second.runs if not run["green"]] == ["9 alerts in place of 10", "TimeoutError"]
    text = report(second, [CASE])
    assert "| Kafka killed | kill -9 of the broker | realtime | 2 | 2,000 | 20 | 0 | 1.5 | 2.0 | 1 |" in text
    assert "0 of 1 are green 3 times in a row or more, 1 at least once" in text


def test_what_was_never_run_is_seen(tmp_path: Path) -> None:
    record = Record(tmp_path / "none.json")
    record.load()
    assert "| realtime | 0 | 0 | 0 | 0 | - | - | 0 |" in report(record, [CASE])
