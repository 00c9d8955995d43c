"""Redis = PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from sentinel.domain.score import score_of, score_of_counts
from sentinel.stores.postgres.reconcile_reader import ReconcileReader
from sentinel.stores.redis.scores import ScoreStore
from sentinel.streaming.reconcile.report import Difference

EXAMPLES = 5
CHUNK = 5_000
# Scores this close to their end may be gone already.
MARGIN_SECONDS = 60.0


def compare_scores(
    reader: ReconcileReader, scores: ScoreStore, *, ttl_seconds: float, patience_seconds: float
) -> Difference:
    """Compare every score that cannot have run out with the one computed from PostgreSQL.

    Scores follow the alerts, so first they may catch up with the newest alert of now; one that is still missing when
    they stood still for `patience_seconds` is lost. Scores that alerts touch meanwhile are left to the next look.

    Lost: there is none. Doubled: it has another value.
    """
    younger_than = max(0.0, ttl_seconds - MARGIN_SECONDS)
    newest = reader.newest_alert_id(younger_than)
    wait_for(scores, newest, patience_seconds)
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
    events, entities = reader.touched_since(newest)
    for key in [*map(scores.event_key, events), *(scores.entity_key(*entity) for entity in entities)]:
        found.pop(key, None)
    missing = sorted(key for key, value in found.items() if value is None)
    other = sorted(key for key, value in found.items() if value is not None and value != expected[key])
    examples = [f"missing: {key}" for key in missing[:EXAMPLES]]
    examples += [f"{key} is {found[key]}, should be {expected[key]}" for key in other[:EXAMPLES]]
    return Difference(
        "Redis = PostgreSQL",
        expected=len(found),
        found=len(found) - len(missing),
        lost=len(missing),
        doubled=len(other),
        examples=tuple(examples),
    )


def wait_for(scores: ScoreStore, alert_id: int, patience_seconds: float) -> None:
    """Wait until the scores go up to an alert, or have not moved for a while."""
    position, moved = scores.position(), time.monotonic()
    while position < alert_id and time.monotonic() - moved < patience_seconds:
        time.sleep(0.1)
        if (now_at := scores.position()) != position:
            position, moved = now_at, time.monotonic()


def chunks(keys: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield the keys in lists of bounded length."""
    names = list(keys)
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]
