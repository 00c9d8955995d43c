"""Verdicts on events, where the order of looking matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from sentinel.catalog.scores import ScoreCatalog, Verdict
from sentinel.domain.event_schema import EventSchema, Field, parse_type
from sentinel.domain.ledger import EventMatches, PartitionProgress, RecordPlace
from sentinel.domain.pipeline import Pipeline, PipelineConfig, PipelineStatus
from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.stores.base import SchemaVersion

NOW = datetime(2026, 1, 31, tzinfo=UTC)
PIPELINE = Pipeline(
    id=1,
    name="p",
    kafka_topic="t",
    status=PipelineStatus.ACTIVE,
    config=PipelineConfig(),
    start_at="earliest",
    source_epoch=0,
    schema_version=1,
    rule_set_version=0,
    version=1,
    created_at=NOW,
    updated_at=NOW,
    alert_count=0,
)
SCHEMA = SchemaVersion(1, 1, EventSchema((Field("id", parse_type("string"), False, "event_id"),)), "", NOW)
PLACE = RecordPlace(0, 5)


class Stores:
    """Stores of which each answer is set by the test, and that note the order in which they are asked."""

    def __init__(self, pipeline: Pipeline | None = PIPELINE) -> None:
        self.all = Mock()
        self.all.pipelines.get.return_value = pipeline
        self.all.schemas.get.return_value = SCHEMA
        self.all.alerts.matches_of.return_value = None
        self.all.ledger.progress.return_value = [PartitionProgress(0, 0, 10, NOW)]
        self.all.ledger.dead_letter_at.return_value = None
        self.all.scores.event_score.return_value = None

    @property
    def asked(self) -> list[str]:
        """The calls so far."""
        return [call[0] for call in self.all.mock_calls]

    def catalog(self) -> ScoreCatalog:
        """Return the use case on these stores."""
        names: dict[str, Any] = {
            name: getattr(self.all, name) for name in ("pipelines", "schemas", "alerts", "ledger", "scores")
        }
        return ScoreCatalog("tenant", **names)


def test_progress_is_read_before_alerts() -> None:
    """Otherwise an alert committed between the two reads would be called clean."""
    stores = Stores()
    assert stores.catalog().verdict(1, "e", PLACE).status is Verdict.CLEAN
    assert stores.asked.index("ledger.progress") < stores.asked.index("alerts.matches_of")


def test_the_score_is_computed_from_the_alerts_where_redis_has_none() -> None:
    stores = Stores()
    stores.all.alerts.matches_of.return_value = EventMatches(("critical", "critical"), (3, 4))
    verdict = stores.catalog().verdict(1, "e")
    assert (verdict.status, verdict.score, verdict.rule_ids) == (Verdict.MATCHED, 96, (3, 4))


def test_redis_alone_is_enough_for_a_match() -> None:
    stores = Stores()
    stores.all.scores.event_score.return_value = 40
    verdict = stores.catalog().verdict(1, "e")
    assert (verdict.status, verdict.score, verdict.source) == (Verdict.MATCHED, 40, "redis")


@pytest.mark.parametrize("scores_every_event", [False, True])
def test_a_redis_that_is_away_leaves_what_the_ledger_knows(scores_every_event: bool) -> None:
    config = replace(PIPELINE.config, score_every_event=scores_every_event)
    stores = Stores(replace(PIPELINE, config=config))
    stores.all.scores.event_score.side_effect = StoreUnavailableError("Redis", "gone")
    assert stores.catalog().verdict(1, "e", PLACE).status is Verdict.CLEAN
    without = stores.catalog().verdict(1, "e")
    assert without.status is Verdict.UNKNOWN
    assert "Redis does not answer: gone" in without.detail


def test_a_record_before_the_beginning_is_never_called_clean() -> None:
    stores = Stores()
    stores.all.ledger.progress.return_value = [PartitionProgress(0, 6, 10, NOW)]
    assert stores.catalog().verdict(1, "e", PLACE).status is Verdict.UNKNOWN


def test_no_pipeline() -> None:
    with pytest.raises(NotFoundError, match="no pipeline 1"):
        Stores(None).catalog().verdict(1, "e")
