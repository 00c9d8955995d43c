"""What use cases ask of the stores about rules beside the rules themselves. As in `sentinel.stores.base`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sentinel.domain.audit import AuditEntry, AuditFilter
from sentinel.domain.engine_task import EngineTask, Lane, TaskKind
from sentinel.domain.labels import Labels, LabelSet
from sentinel.domain.mute import Mute, SuppressedCount
from sentinel.domain.outcome import HourOutcomes, RuleCost, RuleFigures
from sentinel.domain.quarantine import Quarantine
from sentinel.domain.reference_list import ListDefinition, ListRow, ListVersion, ReferenceList, RowChange, RowCounts
from sentinel.domain.rule_test import Outcome, RuleTest, RuleTestKey, RuleTestOutcome
from sentinel.domain.scorecard import EventDecision, Scorecard, ScorecardContent, ScorecardVersion
from sentinel.domain.trial import TrialHour, TrialSample


class MuteStore(Protocol):
    """Keeps mutes and snoozes, and reads what they silenced."""

    def add(
        self,
        pipeline_id: int,
        *,
        rule_id: int | None,
        field: str | None,
        value: str | None,
        expires_at: datetime | None,
        reason: str,
        created_by: str,
    ) -> Mute:
        """Write a mute or snooze."""

    def get(self, mute_id: int) -> Mute | None:
        """Return a mute or snooze."""

    def list(self, pipeline_id: int, *, ended: bool, before: int | None, limit: int) -> list[Mute]:
        """Return those of a pipeline, newest first; also those that count no more where asked for."""

    def kept(self, pipeline_id: int) -> tuple[Mute, ...]:
        """Return what a rule set has to know, in the order of their ids."""

    def end(self, mute_id: int, ended_by: str) -> None:
        """End a mute or snooze."""

    def suppressed(
        self, pipeline_id: int, *, rule_id: int | None, since: datetime | None, until: datetime | None, limit: int
    ) -> tuple[SuppressedCount, ...]:
        """Return the matches that raised no alert, per rule and hour, newest hour first."""


class ScorecardStore(Protocol):
    """Keeps scorecards, and reads what they decided."""

    def get(self, scorecard_id: int) -> Scorecard | None:
        """Return a scorecard."""

    def list(self, pipeline_id: int) -> tuple[Scorecard, ...]:
        """Return the scorecards of a pipeline, oldest first."""

    def versions(self, scorecard_id: int) -> tuple[ScorecardVersion, ...]:
        """Return all versions, newest first."""

    def add(self, pipeline_id: int, name: str, content: ScorecardContent, *, created_by: str, comment: str) -> int:
        """Create a scorecard at version 1 and return its id."""

    def add_version(self, scorecard_id: int, content: ScorecardContent, *, created_by: str, comment: str) -> None:
        """Write the next version and make it the current one."""

    def set_active(self, scorecard_id: int, is_active: bool) -> None:
        """Switch a scorecard on or off."""

    def decisions_on(self, pipeline_id: int, event_id: str) -> tuple[EventDecision, ...]:
        """Return what scorecards said of an event, by name."""


class AuditStore(Protocol):
    """Keeps audit entries: they are added and read, nothing else."""

    def add(
        self,
        *,
        actor: str,
        action: str,
        object_type: str,
        object_id: int,
        object_name: str,
        pipeline_id: int | None,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        comment: str,
    ) -> None:
        """Write an entry."""

    def page(self, wanted: AuditFilter, *, before: int | None, limit: int) -> list[AuditEntry]:
        """Return entries, newest first, from before the entry `before` on."""


class QuarantineReader(Protocol):
    """Reads quarantines, and ends them."""

    def list(self, pipeline_id: int, rule_id: int | None = None) -> Sequence[Quarantine]:
        """Return the quarantines of a pipeline or of one of its rules, newest first, ended ones too."""

    def release(self, rule_id: int, *, released_by: str, comment: str) -> int:
        """End the quarantine of a rule's versions and return of how many."""


class OutcomeReader(Protocol):
    """Reads what rules said of events."""

    def of_rule(self, pipeline_id: int, rule_id: int, *, since: datetime) -> Sequence[HourOutcomes]:
        """Return the outcomes of a rule by hour, newest first."""

    def of_pipeline(self, pipeline_id: int, *, since: datetime) -> Sequence[RuleFigures]:
        """Return what was counted of each rule of a pipeline that is not archived, oldest rule first."""

    def trials_of(self, rule_id: int, *, since: datetime) -> Sequence[TrialHour]:
        """Return the trials of a rule's versions by hour, newest first."""

    def samples_of(self, rule_id: int) -> Sequence[TrialSample]:
        """Return events about which versions on trial and in force disagree, a few of each kind."""

    def cost_of(self, rule_id: int) -> RuleCost | None:
        """Return what the current version of a rule costs; None while it is not measured."""


class ListReader(Protocol):
    """Reads lists."""

    def definitions(self) -> Sequence[ListDefinition]:
        """Return the shape of every list, by name."""

    def list(self) -> list[ReferenceList]:
        """Return all lists, by name."""

    def get(self, name: str) -> ReferenceList | None:
        """Return the list."""

    def versions(self, list_id: int) -> Sequence[ListVersion]:
        """Return all versions, newest first."""

    def rows(self, list_id: int, version: int, *, after: str | None, key: str | None, limit: int) -> Sequence[ListRow]:
        """Return rows of a version in the order of their keys, from after a key on."""

    def diff(self, list_id: int, before: int, after: int, *, from_key: str | None, limit: int) -> Sequence[RowChange]:
        """Return what became of each key between two versions, in the order of the keys, from after a key on."""

    def readers(self, name: str) -> Sequence[tuple[int, int]]:
        """Return (pipeline, rule) of every rule in force that reads a list, itself or through rules it refers to."""

    def pin(self, names: Iterable[str]) -> dict[str, int]:
        """Keep lists at their versions until the unit of work ends, and return name -> version."""

    def is_named_by_rules(self, name: str) -> bool:
        """Tell whether any version of any rule reads a list."""


class ListStore(ListReader, Protocol):
    """Keeps lists and their rows."""

    def add(self, definition: ListDefinition, description: str) -> int | None:
        """Create a list without a version and return its id; None when the name is taken."""

    def delete(self, list_id: int) -> None:
        """Delete a list that no rule ever read, with its rows and versions."""

    def stage(self, rows: Iterable[ListRow]) -> None:
        """Put rows where the changes below take them from."""

    def compare_staged(self, list_id: int, *, limit: int) -> tuple[int, RowCounts, Sequence[RowChange]]:
        """Return what making the staged rows all rows would come to: rows, counts, and the first changes by key."""

    def lock(self, list_id: int) -> int:
        """Keep others from changing a list, or rules, until the unit of work ends; return the list's version."""

    def replace_rows(self, list_id: int, version: int) -> RowCounts:
        """Make what is staged all rows of a version."""

    def edit_rows(self, list_id: int, version: int, deleted: Sequence[str], now: datetime) -> RowCounts:
        """Add what is staged to a version, in place of the same keys; drop keys, and rows whose time is over."""

    def totals(self, list_id: int) -> tuple[int, int, str]:
        """Return the number of rows of now, their bytes and their hash."""

    def add_version(
        self, list_id: int, version: int, counts: RowCounts, *, cause: str, comment: str, created_by: str
    ) -> None:
        """Record a version whose rows were written, and make it the current one."""

    def pipelines(self, name: str) -> Sequence[int]:
        """Return the pipelines whose rule set in force reads a list."""


class LabelStore(Protocol):
    """Keeps labels."""

    def add(self, pipeline_id: int, name: str, labels: Labels, *, created_by: str) -> LabelSet:
        """Keep labels."""

    def list(self, pipeline_id: int) -> list[LabelSet]:
        """Return the labels of a pipeline, newest first."""

    def delete(self, label_set_id: int) -> bool:
        """Forget labels; whether there were any."""


class EngineTaskStore(Protocol):
    """Keeps engine tasks."""

    def add(self, pipeline_id: int, kind: TaskKind, request: dict[str, Any], *, created_by: str) -> EngineTask:
        """Keep a task for a worker to take."""

    def get(self, task_id: int) -> EngineTask | None:
        """Return the task."""

    def list(
        self, *, pipeline_id: int | None, kind: TaskKind | None, before: int | None, limit: int
    ) -> Sequence[EngineTask]:
        """Return tasks, newest first."""

    def waiting_count(self, lane: Lane) -> int:
        """Return how many tasks of a lane are not finished."""

    def cancel(self, task_id: int) -> EngineTask | None:
        """End a task that waits, ask one that runs to end; None where there is none that is not finished."""

    def forget(self, task_id: int) -> None:
        """Delete a finished task."""


class RuleTestStore(Protocol):
    """Keeps tests beside rules, and what they gave."""

    def list(self, rule_id: int) -> Sequence[RuleTest]:
        """Return the tests of a rule, oldest first."""

    def add(self, rule_id: int, *, name: str, event: str, expected: Outcome, created_by: str) -> RuleTest | None:
        """Keep a test; None when its name is taken."""

    def change(self, rule_id: int, test_id: int, *, name: str, event: str, expected: Outcome) -> RuleTest | None:
        """Change a test; None when there is none."""

    def delete(self, rule_id: int, test_id: int) -> bool:
        """Delete a test; False when there is none."""

    def run(self, key: RuleTestKey) -> Sequence[RuleTestOutcome] | None:
        """Return what the tests gave; None when they were not run."""
