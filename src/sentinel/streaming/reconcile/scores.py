"""Redis = PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sentinel.domain.score import score_of, score_of_counts
from sentinel.stores.postgres.reconcile_reader import ReconcileReader
from sentinel.stores.redis.scores import ScoreStore
from sentinel.streaming.reconcile.report import Difference

EXAMPLES = 5
CHUNK = 5_000
# Scores this close to their end may be gone already.
MARGIN_SECONDS = 60.0


def compare_scores(reader: ReconcileReader, scores: ScoreStore, *, ttl_seconds: float) -> Difference:
    """Compare every score that cannot have run out with the one computed from PostgreSQL.

    Lost: there is none. Doubled: it has another value.
    """
    younger_than = max(0.0, ttl_seconds - MARGIN_SECONDS)
    expected = {
        scores.event_key(event_id): score_of(severities)
        for event_id, severities in reader.event_severities(younger_than).items()
    }
    expected |= {
        scores.entity_key(field, value): score_of_counts(*counts)
        for (field, value), counts in reader.entities(younger_than).items()
    }
    found: dict[str, int | None] = {}
    for keys in chunks(expected):
        found |= zip(keys, scores.read(keys), strict=True)
    missing = sorted(key for key, value in found.items() if value is None)
    other = sorted(key for key, value in found.items() if value is not None and value != expected[key])
    examples = [f"missing: {key}" for key in missing[:EXAMPLES]]
    examples += [f"{key} is {found[key]}, should be {expected[key]}" for key in other[:EXAMPLES]]
    return Difference(
        "Redis = PostgreSQL",
        expected=len(expected),
        found=len(expected) - len(missing),
        lost=len(missing),
        doubled=len(other),
        examples=tuple(examples),
    )


def chunks(keys: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield the keys in lists of bounded length."""
    names = list(keys)
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]
