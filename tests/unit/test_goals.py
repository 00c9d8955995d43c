"""The table of goals: which of gate and goal figures reach, and what is not measured is said."""

from __future__ import annotations

import pytest

from tests.bench.goals import GOALS, Goal, markdown


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [((20, 30), "goal"), ((20.1, 30), "gate"), ((35, 60), "gate"), ((1, 60.1), "missed")],
)
def test_less_is_better(figures: tuple[float, ...], verdict: str) -> None:
    assert Goal("ms", (35, 60), (20, 30), lambda _: figures, "make bench").verdict(figures) == verdict


@pytest.mark.parametrize(("figure", "verdict"), [(150_000, "goal"), (60_000, "gate"), (59_999, "missed")])
def test_more_is_better(figure: float, verdict: str) -> None:
    goal = Goal("events/s", (60_000,), (150_000,), lambda _: (figure,), "make bench", more_is_better=True)
    assert goal.verdict((figure,)) == verdict


def test_what_is_not_measured_is_said() -> None:
    rows = [line for line in markdown({}).splitlines() if "| not measured |" in line]
    assert len(rows) == len(GOALS)
    found = {"stores": {"scores": {"in_redis": {"p99": 0.4}, "over_http": {"p99": 7.25}}}}
    assert "| 0.4 / 7.25 | 1 / 10 | 0.5 / 5 | gate |" in markdown(found)
