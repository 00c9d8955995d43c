"""What a SELECT of the tenant's own finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sentinel.batch.detector import Detector
from sentinel.batch.detectors.own_sql import QueryParameters, number_of, refuse_columns, text_of
from sentinel.domain.detector import (
    MAX_FINDINGS,
    MAX_SAMPLES,
    MAX_SUBJECT_CHARACTERS,
    DetectorFinding,
    Level,
    Mode,
    Window,
)
from sentinel.errors import InvalidError
from sentinel.stores.detectors import DetectorReader


class Sql(Detector[QueryParameters]):
    """Each row of the query is a finding: subject, level and value; and, where it has them, baseline and sample_ids."""

    name: ClassVar[str] = "sql"
    title: ClassVar[str] = "A SELECT of your own"
    parameters = QueryParameters
    builtin_mode: ClassVar[Mode | None] = None

    def detect(self, window: Window, parameters: QueryParameters, reader: DetectorReader) -> Sequence[DetectorFinding]:
        """Return a finding for each row."""
        rows = reader.query(parameters.sql, window, store=parameters.store.value, rows=MAX_FINDINGS + 1)
        refuse_columns(rows, ("subject", "level", "value"), ("baseline", "sample_ids"))
        return [_finding(row) for row in rows if row["level"] != Level.NONE.value]


def _finding(row: Mapping[str, Any]) -> DetectorFinding:
    try:
        level = Level(row["level"])
    except ValueError:
        raise InvalidError(
            f"the query returned the level {str(row['level'])[:100]!r}; use low, medium or high"
        ) from None
    subject = text_of(row, "subject", MAX_SUBJECT_CHARACTERS)
    value = number_of(row, "value")
    baseline = None if row.get("baseline") is None else number_of(row, "baseline")
    held_against = "" if baseline is None else f", against {baseline}"
    return DetectorFinding(
        subject=subject,
        level=level,
        value=value,
        baseline=baseline,
        condition=f"{subject}: {value}{held_against}",
        sample_ids=_samples(row.get("sample_ids")),
    )


def _samples(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise InvalidError(f"the query returned {str(given)[:100]!r} as 'sample_ids', which must be a list of texts")
    return tuple(text_of({"sample_ids": each}, "sample_ids", 500) for each in given[:MAX_SAMPLES])
