"""What use cases ask of the stores. Each protocol works inside one unit of work, for one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sentinel.domain.alert import Alert, AlertFilter, AlertPage
from sentinel.domain.api_key import ApiKey, Scope
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.figures import PipelineFigures, TenantFigures
from sentinel.domain.ledger import (
    EventMatches,
    GenerationEntry,
    PartitionProgress,
    PipelineProgress,
    RecordPlace,
    RunningJob,
)
from sentinel.domain.period import AlertHour, HistoryPoint, JobState, Period, PeriodTotals, PresentState
from sentinel.domain.pipeline import Pipeline, PipelineConfig, PipelineStatus
from sentinel.domain.rollout import ArmCount
from sentinel.domain.rule import RolloutPlan, Rule, RuleContent, RuleHistoryEntry, RuleSetMembers, RuleState


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """A stored schema version. Immutable."""

    pipeline_id: int
    version: int
    schema: EventSchema
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer to a write, kept under its idempotency key."""

    request_hash: bytes
    status: int
    headers: dict[str, str]
    body: Any


class PipelineReader(Protocol):
    """Reads pipelines."""

    def get(self, pipeline_id: int) -> Pipeline | None:
        """Return the pipeline."""

    def list(self) -> list[Pipeline]:
        """Return all pipelines, oldest first."""


class PipelineStore(PipelineReader, Protocol):
    """Keeps pipelines. Every change makes a running job look again."""

    def lock(self, pipeline_id: int) -> Pipeline | None:
        """Return the pipeline and keep others from changing it or its rules until the end of the unit of work."""

    def add(
        self, *, name: str, kafka_topic: str, config: PipelineConfig, start_at: str, status: PipelineStatus
    ) -> Pipeline | None:
        """Create a pipeline at schema version 1 and rule set version 0; None when the name is taken."""

    def set_status(self, pipeline_id: int, status: PipelineStatus) -> Pipeline:
        """Change its status."""

    def set_config(self, pipeline_id: int, config: PipelineConfig) -> Pipeline:
        """Change its settings."""

    def set_schema_version(self, pipeline_id: int, version: int) -> Pipeline:
        """Point to another schema version."""

    def set_rule_set_version(self, pipeline_id: int, version: int) -> Pipeline:
        """Point to another rule set."""


class FigureReader(Protocol):
    """Reads figures."""

    def pipelines(self) -> list[PipelineFigures]:
        """Return every pipeline's figures."""

    def tenant(self) -> TenantFigures:
        """Return what waits in the tenant."""


class PeriodReader(Protocol):
    """Reads figures of a period of time."""

    def totals(self, period: Period) -> tuple[PeriodTotals, PeriodTotals]:
        """Return what happened in a period, and in the one before."""

    def present(self, now: datetime, since: datetime) -> PresentState:
        """Return what is the case now, and how many pipelines were active at a time before."""

    def alert_hours(self, since: datetime, until: datetime) -> list[AlertHour]:
        """Return alerts by hour, oldest first; the first hour is whole."""

    def history(self, pipeline_id: int, since: datetime, until: datetime, span: timedelta) -> list[HistoryPoint]:
        """Return a pipeline in spans of time, oldest first; none from before it was created."""

    def jobs(self) -> list[JobState]:
        """Return the job of each pipeline that is to run or that one holds."""


class SchemaStore(Protocol):
    """Keeps schema versions."""

    def get(self, pipeline_id: int, version: int) -> SchemaVersion | None:
        """Return one version."""

    def list(self, pipeline_id: int) -> list[SchemaVersion]:
        """Return all versions, newest first."""

    def add(self, pipeline_id: int, version: int, schema: EventSchema, created_by: str) -> SchemaVersion:
        """Write a version."""


class RuleStore(Protocol):
    """Keeps rules, their versions and rule sets."""

    def held(self, pipeline_id: int) -> AbstractContextManager[None]:
        """Read the rules of a locked pipeline once, for many changes; `get` and `list` answer from that meanwhile."""

    def get(self, rule_id: int) -> Rule | None:
        """Return the rule."""

    def list(self, pipeline_id: int | None = None, *, archived: bool = False) -> list[Rule]:
        """Return the rules of a pipeline, or of all, oldest first."""

    def history(self, rule_id: int) -> Sequence[RuleHistoryEntry]:
        """Return all versions of a rule, oldest first."""

    def add(
        self,
        pipeline_id: int,
        content: RuleContent,
        *,
        name: str | None,
        state: RuleState,
        created_by: str,
        comment: str,
    ) -> Rule:
        """Create a rule at version 1; without a name it gets one by its number."""

    def add_version(
        self, rule_id: int, content: RuleContent, *, created_by: str, comment: str, current: bool = True
    ) -> int:
        """Write the next version, make it the current one unless told otherwise, and return its number."""

    def set_current(self, rule_id: int, version: int) -> None:
        """Make a version the current one."""

    def set_name(self, rule_id: int, name: str) -> None:
        """Give a rule another name."""

    def set_state(self, rule_ids: Sequence[int], state: RuleState, rollout: RolloutPlan | None = None) -> None:
        """Move rules to a state; the plan is that of a rollout. A candidate beside one becomes a draft."""

    def set_candidate(
        self, rule_id: int, version: int | None, state: RuleState | None, rollout: RolloutPlan | None = None
    ) -> None:
        """Put a version beside the current one, or take it away."""

    def add_rule_set(self, pipeline_id: int, version: int, members: RuleSetMembers) -> None:
        """Write a rule set."""

    def rule_set(self, pipeline_id: int, version: int) -> RuleSetMembers:
        """Return what a rule set holds."""

    def quarantined(self, pipeline_id: int) -> frozenset[int]:
        """Return the ids of the versions that are in quarantine."""

    def arm_counts(self, pipeline_id: int, rule_id: int, rule_version_id: int, entity: str) -> tuple[ArmCount, ...]:
        """Return the alerts of each arm while a version was in rollout, per share that it had."""


class AlertReader(Protocol):
    """Reads alerts."""

    def page(self, wanted: AlertFilter, *, before: int | None, limit: int) -> AlertPage:
        """Return alerts, newest first, from after the alert `before` on."""

    def of_ids(self, ids: Sequence[int]) -> Sequence[Alert]:
        """Return the alerts of these ids that there are, newest first."""

    def matches_of(self, pipeline_id: int, event_id: str) -> EventMatches | None:
        """Return what matched an event; None when no alert is about it."""


class LedgerReader(Protocol):
    """Reads the ledger and what it led to."""

    def generations(self, pipeline_id: int, *, before: int | None, limit: int) -> list[GenerationEntry]:
        """Return generations, newest first."""

    def progress(self, pipeline_id: int) -> list[PartitionProgress]:
        """Return what is decided, per partition."""

    def job(self, pipeline_id: int) -> RunningJob | None:
        """Return who runs the pipeline, or ran it last."""

    def progress_of_all(self) -> list[PipelineProgress]:
        """Return how far every pipeline is, newest pipeline first."""

    def dead_letter_at(self, pipeline_id: int, source_epoch: int, place: RecordPlace) -> str | None:
        """Return the cause when the record at this place is a dead letter."""


class EventScoreReader(Protocol):
    """Reads scores."""

    def event_score(self, tenant_id: str, pipeline_id: int, event_id: str) -> int | None:
        """Return an event's score, None where there is none (any more)."""


class ApiKeyStore(Protocol):
    """Keeps API keys."""

    def add(
        self, *, name: str, prefix: str, key_hash: bytes, scopes: Sequence[Scope], expires_at: datetime | None
    ) -> ApiKey:
        """Keep a key."""

    def list(self) -> list[ApiKey]:
        """Return all keys of the tenant, newest first."""

    def revoke(self, key_id: int) -> ApiKey | None:
        """Make a key unusable from now on; None when there is no such key."""


class AnswerStore(Protocol):
    """Keeps the answers of writes by idempotency key."""

    def claim(self, key: str) -> StoredAnswer | None:
        """Return the answer kept under the key. Another request with it waits until this unit of work ends."""

    def keep(self, key: str, answer: StoredAnswer) -> None:
        """Keep an answer."""
