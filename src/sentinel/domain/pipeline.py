"""Pipelines: a topic, a schema and rules, and how the job runs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.reference_list import list_changes
from sentinel.domain.rule import RuleSet


class PipelineStatus(StrEnum):
    """active: the job reads; paused: it keeps its place, reads nothing; stopped: the job leaves it alone."""

    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"


class EdgeCheck(StrEnum):
    """What becomes of an event by HTTP that its pipeline's schema cannot hold: refused; taken, and told; taken."""

    STRICT = "strict"
    WARN = "warn"
    OFF = "off"


class DetectMode(StrEnum):
    """How detect runs: Real-Time Mode or micro-batches."""

    REALTIME = "realtime"
    MICROBATCH = "microbatch"


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """What a tenant can set per pipeline.

    Attributes:
        score_every_event: Write a score (0) for events without a match, too.
        future_tolerance_seconds: An event whose event time lies further after its record's timestamp is a
            dead letter.
        max_record_bytes: A larger record is a dead letter.
        storm_limit: Alerts of one rule within one hour of its records' timestamps; further matches are counted as
            suppressed and stay in the lake.
        fresh_backtest_hours: A rule goes into force only with a backtest of exactly its condition that is at most so
            old; 0: without one, too.
        rollout_max_ratio: The candidate of a rollout that matches so many times more, or fewer, events than the version
            in force is taken back; 0: it is not.
        edge_check: What is asked of events that come by HTTP before they are written.
    """

    mode: DetectMode = DetectMode.REALTIME
    score_every_event: bool = False
    future_tolerance_seconds: int = 3600
    max_record_bytes: int = 1_048_576
    storm_limit: int = 10_000
    fresh_backtest_hours: int = 0
    rollout_max_ratio: float = 2.0
    edge_check: EdgeCheck = EdgeCheck.STRICT

    def as_json(self) -> dict[str, Any]:
        """Return the stored form: every setting, also those at their default."""
        return {
            "mode": str(self.mode),
            "score_every_event": self.score_every_event,
            "future_tolerance_seconds": self.future_tolerance_seconds,
            "max_record_bytes": self.max_record_bytes,
            "storm_limit": self.storm_limit,
            "fresh_backtest_hours": self.fresh_backtest_hours,
            "rollout_max_ratio": self.rollout_max_ratio,
            "edge_check": str(self.edge_check),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> PipelineConfig:
        """Build a config from its stored form; what is missing there is at its default."""
        default = cls()
        return cls(
            mode=DetectMode(stored.get("mode", default.mode)),
            score_every_event=stored.get("score_every_event", default.score_every_event),
            future_tolerance_seconds=stored.get("future_tolerance_seconds", default.future_tolerance_seconds),
            max_record_bytes=stored.get("max_record_bytes", default.max_record_bytes),
            storm_limit=stored.get("storm_limit", default.storm_limit),
            fresh_backtest_hours=stored.get("fresh_backtest_hours", default.fresh_backtest_hours),
            rollout_max_ratio=stored.get("rollout_max_ratio", default.rollout_max_ratio),
            edge_check=EdgeCheck(stored.get("edge_check", default.edge_check)),
        )


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline as its tenant sees it.

    Attributes:
        version: Grows with every change of the pipeline, its schema or its rules.
        alert_count: Alerts it has raised so far.
    """

    id: int
    name: str
    kafka_topic: str
    status: PipelineStatus
    config: PipelineConfig
    start_at: str
    source_epoch: int
    schema_version: int
    rule_set_version: int
    version: int
    created_at: datetime
    updated_at: datetime
    alert_count: int


@dataclass(frozen=True, slots=True)
class PipelineSnapshot:
    """Everything a generation is made of, read in one transaction. Immutable.

    Attributes:
        start_at: "earliest" or "latest": where a pipeline without any progress begins.
        source_epoch: Counts the operator's decisions to go on after the topic was recreated or cut.
    """

    tenant_id: str
    pipeline_id: int
    name: str
    kafka_topic: str
    status: PipelineStatus
    config: PipelineConfig
    schema_version: int
    schema: EventSchema
    rule_set: RuleSet
    start_at: str
    source_epoch: int

    def in_epoch(self, source_epoch: int) -> PipelineSnapshot:
        """Return the same in another source epoch."""
        return replace(self, source_epoch=source_epoch)

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """What makes another generation necessary when it changes."""
        config = replace(self.config, fresh_backtest_hours=0, edge_check=EdgeCheck.STRICT)
        return (self.kafka_topic, config, self.schema_version, self.rule_set.version, self.source_epoch)

    def change_from(self, old: PipelineSnapshot) -> str:
        """Say in words what makes a new generation necessary where the old snapshot served."""
        changes = []
        if old.schema_version != self.schema_version:
            changes.append(f"schema version {old.schema_version} -> {self.schema_version}")
        if old.rule_set.version != self.rule_set.version:
            changes.append(f"rule set {old.rule_set.version} -> {self.rule_set.version}")
        changes += list_changes(old.rule_set.lists, self.rule_set.lists)
        if old.config != self.config:
            changes.append("settings changed")
        if old.source_epoch != self.source_epoch:
            changes.append(f"source epoch {old.source_epoch} -> {self.source_epoch}")
        return ", ".join(changes) or "restarted"
