"""A source of events that fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low
from typing import ClassVar, Self

from pydantic import Field, model_validator

from sentinel.batch.detector import Detector, DetectorParameters, level_of, thresholds_problem
from sentinel.domain.detector import DetectorFinding, Level, Mode, Window
from sentinel.stores.detectors import DetectorReader, Heartbeat


class Parameters(DetectorParameters):
    """Thresholds are numbers of events that were to be expected in a window in which none came.

    Where events come independently of each other, a window that has ten on average is empty once in 22,000 times
    (e to the power of -10).
    """

    late_hours: int = Field(default=0, ge=0, le=24)
    baseline_days: int = Field(
        default=7, ge=3, le=28, description="Expected is the median of the same window on so many days before."
    )
    low: int = Field(default=10, ge=1)
    medium: int = Field(default=25, ge=1)
    high: int = Field(default=100, ge=1)
    names: tuple[str, ...] = Field(
        default=(), max_length=100, description="Only webhook sources and pipelines of these names; empty: all."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        problem = thresholds_problem(self.low, self.medium, self.high)
        if problem:
            raise ValueError(problem)
        return self


class MissingHeartbeat(Detector[Parameters]):
    """An active webhook source or pipeline of which nothing came, although on other days at this time something does.

    A silence is told once, in the window with which it begins.
    """

    name: ClassVar[str] = "missing_heartbeat"
    title: ClassVar[str] = "A source of events fell silent"
    parameters = Parameters
    builtin_mode: ClassVar[Mode | None] = Mode.OFF

    def detect(self, window: Window, parameters: Parameters, reader: DetectorReader) -> Sequence[DetectorFinding]:
        """Return the sources and pipelines that fell silent in the window."""
        found = [
            _judged(each, parameters)
            for each in reader.heartbeats(window, baseline_days=parameters.baseline_days)
            if not parameters.names or each.name in parameters.names
        ]
        return [finding for finding in found if finding is not None]


def _judged(found: Heartbeat, parameters: Parameters) -> DetectorFinding | None:
    if found.count:
        return None
    if not found.before and median_low(found.usual_before) >= parameters.low:
        return None  # told in an earlier window
    expected = median_low(found.usual)
    level = level_of(expected, parameters.low, parameters.medium, parameters.high)
    if level is Level.NONE:
        return None
    kind = found.kind.replace("_", " ")
    return DetectorFinding(
        subject=f"{found.kind}:{found.id}",
        level=level,
        value=0,
        baseline=expected,
        condition=f"no event of the {kind} {found.name!r}, which has {expected} at this time on other days",
        details={"before": found.before, "usual": list(found.usual)},
        entities={found.kind: found.name},
    )
