"""Tells what detection says of one event: matched, clean, a dead letter, or not seen yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from sentinel.catalog.rules import no_pipeline
from sentinel.domain.ledger import EventMatches, RecordPlace
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.score import score_of
from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.stores.base import AlertReader, EventScoreReader, LedgerReader, PipelineReader, SchemaStore

_PLACE_ID = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]+)(?:@(?P<epoch>\d{1,9}))?/(?P<partition>\d{1,9})/(?P<offset>\d{1,18})"
)


class Verdict(StrEnum):
    """What is known of an event. `unknown`: it is clean or not seen yet, and nothing decides which."""

    MATCHED = "matched"
    CLEAN = "clean"
    NOT_YET_SEEN = "not_yet_seen"
    DEAD_LETTER = "dead_letter"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EventVerdict:
    """What detection says of an event.

    Attributes:
        score: 0..100; None unless matched or clean.
        rule_ids: Rules that matched it, as far as PostgreSQL was asked.
        source: Which store decided: "redis", "postgresql" or "ledger"; None where none could.
        detail: A sentence.
    """

    event_id: str
    status: Verdict
    score: int | None
    rule_ids: tuple[int, ...]
    source: str | None
    detail: str


class ScoreCatalog:
    """Verdicts on events of one tenant."""

    def __init__(
        self,
        tenant_id: str,
        *,
        pipelines: PipelineReader,
        schemas: SchemaStore,
        alerts: AlertReader,
        ledger: LedgerReader,
        scores: EventScoreReader,
    ) -> None:
        self._tenant_id = tenant_id
        self._pipelines = pipelines
        self._schemas = schemas
        self._alerts = alerts
        self._ledger = ledger
        self._scores = scores

    def verdict(self, pipeline_id: int, event_id: str, place: RecordPlace | None = None) -> EventVerdict:
        """Return what is known of an event.

        The progress is read before the alerts: what it calls decided had its alerts committed already.

        Args:
            place: Partition and offset of its record, which its producer knows.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        pipeline = self._pipelines.get(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        place = place or self._place_in_id(pipeline, event_id)
        decided = None if place is None else self._is_decided(pipeline_id, place)
        score, redis_error = self._score(pipeline_id, event_id)
        matches = self._alerts.matches_of(pipeline_id, event_id)
        if matches is not None or score:
            return _matched(event_id, score, matches)
        if score == 0:
            return EventVerdict(event_id, Verdict.CLEAN, 0, (), "redis", "processed, and no rule raised an alert")
        if place is not None and decided is not None:
            return self._by_place(pipeline, event_id, place, decided)
        return self._without_place(pipeline, event_id, redis_error)

    def _score(self, pipeline_id: int, event_id: str) -> tuple[int | None, str | None]:
        try:
            return self._scores.event_score(self._tenant_id, pipeline_id, event_id), None
        except StoreUnavailableError as error:
            return None, error.message

    def _place_in_id(self, pipeline: Pipeline, event_id: str) -> RecordPlace | None:
        """Return the place that an identifier of the form topic/partition/offset names."""
        version = self._schemas.get(pipeline.id, pipeline.schema_version)
        if version is None:
            raise NotFoundError(f"pipeline {pipeline.id} has no schema version {pipeline.schema_version}")
        found = _PLACE_ID.fullmatch(event_id)
        if version.schema.event_id is not None or found is None:
            return None
        same_source = found["topic"] == pipeline.kafka_topic and int(found["epoch"] or 0) == pipeline.source_epoch
        return RecordPlace(int(found["partition"]), int(found["offset"])) if same_source else None

    def _is_decided(self, pipeline_id: int, place: RecordPlace) -> bool | None:
        """Return whether the record is behind the progress; None: it lies before where the pipeline began."""
        for progress in self._ledger.progress(pipeline_id):
            if progress.partition == place.partition:
                return None if place.offset < progress.first_offset else place.offset < progress.next_offset
        return False

    def _by_place(self, pipeline: Pipeline, event_id: str, place: RecordPlace, decided: bool) -> EventVerdict:
        where = f"offset {place.offset} of partition {place.partition}"
        if not decided:
            return EventVerdict(event_id, Verdict.NOT_YET_SEEN, None, (), "ledger", f"{where} is not processed yet")
        cause = self._ledger.dead_letter_at(pipeline.id, pipeline.source_epoch, place)
        if cause is not None:
            return EventVerdict(event_id, Verdict.DEAD_LETTER, None, (), "ledger", f"{where} is a dead letter: {cause}")
        return EventVerdict(
            event_id, Verdict.CLEAN, 0, (), "ledger", f"{where} was processed, and no rule raised an alert"
        )

    def _without_place(self, pipeline: Pipeline, event_id: str, redis_error: str | None) -> EventVerdict:
        if pipeline.config.score_every_event and redis_error is None:
            return EventVerdict(
                event_id,
                Verdict.NOT_YET_SEEN,
                None,
                (),
                "redis",
                "this pipeline scores every event, and there is no score (any more: scores expire)",
            )
        trouble = f" ({redis_error})" if redis_error else ""
        return EventVerdict(
            event_id,
            Verdict.UNKNOWN,
            None,
            (),
            None,
            f"no rule raised an alert on it so far; whether it was processed cannot be told{trouble}: give partition "
            "and offset of its record, or switch score_every_event on",
        )


def _matched(event_id: str, score: int | None, matches: EventMatches | None) -> EventVerdict:
    if matches is None:
        return EventVerdict(event_id, Verdict.MATCHED, score, (), "redis", "at least one rule matched")
    count = len(matches.rule_ids)
    return EventVerdict(
        event_id,
        Verdict.MATCHED,
        score or score_of(matches.severities),
        matches.rule_ids,
        "redis" if score else "postgresql",
        f"{count} rule{'s' if count != 1 else ''} matched",
    )
