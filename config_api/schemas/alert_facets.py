"""Counts of alerts and what else was raised about the same, as they are answered."""

from __future__ import annotations

from typing import Any, Self

import orjson
from pydantic import Field

from config_api.schemas.base import AnswerModel, Timestamp
from sentinel.domain.alert import Alert
from sentinel.domain.alert_facets import AlertFacets, FacetCount
from sentinel.domain.alert_state import AlertStatus, Disposition
from sentinel.domain.entity_history import EntityHistory
from sentinel.domain.rule import Severity


class FacetCountAnswer(AnswerModel):
    """How many alerts have a value."""

    value: str = Field(description="What the filter takes; of `disposition` empty: nobody judged them.")
    name: str = Field(description="Of a pipeline or rule: what it is called.")
    pipeline_id: int | None = Field(description="Of a rule.")
    count: int

    @classmethod
    def of(cls, found: FacetCount) -> Self:
        """Describe a count."""
        return cls(value=found.value, name=found.name, pipeline_id=found.pipeline_id, count=found.count)


class AlertFacetsAnswer(AnswerModel):
    """How the alerts that fit a filter divide."""

    total: int = Field(description="Alerts that fit.")
    looked_at: int = Field(description="Alerts that were looked at: the newest that time and event id allow.")
    since: Timestamp | None = Field(
        description="Only alerts from then on were looked at, so each count is a lower bound; null: all were."
    )
    severity: list[FacetCountAnswer]
    status: list[FacetCountAnswer]
    pipeline: list[FacetCountAnswer]
    rule: list[FacetCountAnswer]
    disposition: list[FacetCountAnswer]
    source: list[FacetCountAnswer]
    detector: list[FacetCountAnswer]

    @classmethod
    def of(cls, found: AlertFacets) -> Self:
        """Describe counts."""
        counts = {facet.value: [FacetCountAnswer.of(each) for each in found.counts[facet]] for facet in found.counts}
        return cls(total=found.total, looked_at=found.looked_at, since=found.since, **counts)


class EntityScoreAnswer(AnswerModel):
    """How suspicious an entity is."""

    field: str
    value: str
    score: int = Field(description="0..100, from all alerts about it since it was last quiet.")
    critical_count: int
    warning_count: int
    info_count: int


class RelatedAlertAnswer(AnswerModel):
    """An alert about the same."""

    id: int
    alert_timestamp: Timestamp
    severity: Severity
    score: int
    rule_id: int | None
    rule_name: str
    rule_description: str
    detector: str | None
    event_id: str
    status: AlertStatus
    disposition: Disposition | None
    shared: list[str] = Field(description="The fields in which both are about the same; of an anomaly: `subject`.")

    @classmethod
    def of(cls, found: Alert, entities: dict[str, Any]) -> Self:
        """Describe an alert beside one with these entities."""
        theirs = orjson.loads(found.entities_json)
        shared = [name for name in sorted(entities) if name in theirs and theirs[name] == entities[name]]
        return cls(
            id=found.id,
            alert_timestamp=found.alert_timestamp,
            severity=found.severity,
            score=found.score,
            rule_id=found.rule_id,
            rule_name=found.rule_name,
            rule_description=found.rule_description,
            detector=found.detector,
            event_id=found.event_id,
            status=found.state.status,
            disposition=found.state.disposition,
            shared=shared if found.detector is None else ["subject"],
        )


class EntityHistoryAnswer(AnswerModel):
    """What else was raised about what an alert is about."""

    scores: list[EntityScoreAnswer] = Field(description="Of its entities, those that have one now.")
    before: list[RelatedAlertAnswer] = Field(description="Nearest first.")
    after: list[RelatedAlertAnswer] = Field(description="Nearest first.")
    searched_since: Timestamp | None = Field(description="Nothing before it was looked at; null: all was.")
    searched_until: Timestamp | None = Field(description="Nothing after it was looked at; null: all was.")

    @classmethod
    def of(cls, alert: Alert, found: EntityHistory) -> Self:
        """Describe the history around an alert."""
        entities = orjson.loads(alert.entities_json)
        return cls(
            scores=[
                EntityScoreAnswer(
                    field=each.field,
                    value=each.value,
                    score=each.score,
                    critical_count=each.critical_count,
                    warning_count=each.warning_count,
                    info_count=each.info_count,
                )
                for each in found.scores
            ],
            before=[RelatedAlertAnswer.of(each, entities) for each in found.before],
            after=[RelatedAlertAnswer.of(each, entities) for each in found.after],
            searched_since=found.searched_since,
            searched_until=found.searched_until,
        )
