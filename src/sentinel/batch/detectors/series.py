"""Points of series whose anomaly score reaches a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from sentinel.batch.detector import Detector, level_of, thresholds_problem
from sentinel.batch.detectors.own_sql import QueryParameters, number_of, refuse_columns, text_of, time_of
from sentinel.domain.detector import MAX_SAMPLES, MAX_SUBJECT_CHARACTERS, DetectorFinding, Mode, Window
from sentinel.errors import InvalidError
from sentinel.stores.detectors import DetectorReader

MAX_POINTS = 50_000


class Parameters(QueryParameters):
    """A SELECT of points with their scores; thresholds are scores, of which `low` makes a point count."""

    low: Decimal = Field(description="A point with this score, or more, counts.")
    medium: Decimal | None = Field(default=None, description="Default: as `low`.")
    high: Decimal | None = Field(default=None, description="Default: as `medium`.")

    @property
    def thresholds(self) -> tuple[Decimal, Decimal, Decimal]:
        """The three of them. Without the higher ones every point that counts is of level high."""
        medium = self.low if self.medium is None else self.medium
        return self.low, medium, medium if self.high is None else self.high

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        problem = thresholds_problem(*self.thresholds)
        if problem:
            raise ValueError(problem)
        return self


class Series(Detector[Parameters]):
    """One finding per series and window, with the number of points that count.

    The query returns the points of the window: series, point_at and score. Points of one time each count.
    """

    name: ClassVar[str] = "series"
    title: ClassVar[str] = "Points of a series with a high anomaly score"
    parameters = Parameters
    builtin_mode: ClassVar[Mode | None] = None

    def detect(self, window: Window, parameters: Parameters, reader: DetectorReader) -> Sequence[DetectorFinding]:
        """Return the series with points that count."""
        rows = reader.query(parameters.sql, window, store=parameters.store.value, rows=MAX_POINTS + 1)
        if len(rows) > MAX_POINTS:
            raise InvalidError(f"more than {MAX_POINTS:,} points in one window; have shorter windows")
        refuse_columns(rows, ("series", "point_at", "score"))
        points: dict[str, list[tuple[str, float]]] = {}
        for row in rows:
            if row["score"] is not None:
                _add(points, row, parameters.low)
        return [_finding(series, found, parameters) for series, found in sorted(points.items()) if found]


def _add(points: dict[str, list[tuple[str, float]]], row: Mapping[str, Any], lowest: Decimal) -> None:
    score = number_of(row, "score")
    if Decimal(str(score)) >= lowest:
        points.setdefault(text_of(row, "series", MAX_SUBJECT_CHARACTERS), []).append((time_of(row, "point_at"), score))


def _finding(series: str, found: Sequence[tuple[str, float]], parameters: Parameters) -> DetectorFinding:
    highest = max(score for _, score in found)
    worst_first = sorted(found, key=lambda point: (-point[1], point[0]))[:MAX_SAMPLES]
    return DetectorFinding(
        subject=series,
        level=level_of(Decimal(str(highest)), *parameters.thresholds),
        value=len(found),
        baseline=None,
        condition=f"{len(found)} points of {series} have a score of {parameters.low} or more, {highest} at most",
        details={
            "highest_score": highest,
            "points": [{"at": at, "score": score} for at, score in sorted(worst_first)],
        },
        entities={"series": series},
    )
