"""Use cases on event schemas: read, change, and plan what a change would break."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sentinel.catalog.audit import Auditor, facts_of_schema
from sentinel.catalog.lifecycle import LifecycleCatalog
from sentinel.catalog.pipelines import counted
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.rules import errors_of, no_pipeline
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.rule import EVALUATED, Rule, RuleState
from sentinel.domain.schema_change import SchemaChange, compare
from sentinel.domain.schema_definition import FieldDefinition, read_schema
from sentinel.errors import BreakingChangeError, InvalidError, NotFoundError
from sentinel.rules.checker import check
from sentinel.stores.base import PipelineStore, RuleStore, SchemaStore, SchemaVersion

_LAKE_KINDS = frozenset({"removed", "retyped"})


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that a schema change touches.

    Attributes:
        deactivated: It no longer fits and is switched off with the change; else it stays but may match otherwise.
    """

    rule_id: int
    description: str
    is_active: bool
    deactivated: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SchemaPut:
    """The outcome of a schema change.

    Attributes:
        deactivated_rules: Rules that were active and no longer fit.
    """

    version: SchemaVersion
    changed: bool
    deactivated_rules: tuple[int, ...]


class SchemaCatalog:
    """Schemas of one tenant's pipelines."""

    def __init__(
        self,
        pipelines: PipelineStore,
        schemas: SchemaStore,
        rules: RuleStore,
        publisher: Publisher,
        *,
        lifecycle: LifecycleCatalog,
        auditor: Auditor,
        caller: str,
    ) -> None:
        self._pipelines = pipelines
        self._schemas = schemas
        self._rules = rules
        self._publisher = publisher
        self._lifecycle = lifecycle
        self._auditor = auditor
        self._caller = caller

    def get(self, pipeline_id: int, version: int | None = None) -> SchemaVersion:
        """Return a schema version; None: the current one.

        Raises:
            NotFoundError: There is no such pipeline or version.
        """
        pipeline = self._pipelines.get(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        return self._version(pipeline, version or pipeline.schema_version)

    def versions(self, pipeline_id: int) -> list[SchemaVersion]:
        """Return all versions, newest first.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        if self._pipelines.get(pipeline_id) is None:
            raise no_pipeline(pipeline_id)
        return self._schemas.list(pipeline_id)

    def put(
        self,
        pipeline_id: int,
        definitions: Sequence[FieldDefinition],
        *,
        expected_version: int | None,
        confirm: str | None,
    ) -> SchemaPut:
        """Make this the schema, as a new immutable version. The schema that is there already changes nothing.

        Args:
            confirm: The token of the plan that was shown, for a change that breaks something.

        Raises:
            NotFoundError: There is no such pipeline.
            VersionMismatchError: The schema is no longer at the expected version.
            InvalidError: The schema cannot work; everything wrong is listed.
            BreakingChangeError: It breaks something and exactly this plan was not confirmed.
        """
        schema, problems = read_schema(definitions)
        if problems:
            raise InvalidError(counted(problems), details=problems)
        pipeline = self._pipelines.lock(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        current = self._version(pipeline, pipeline.schema_version)
        refuse_other_version(f"the schema of pipeline {pipeline_id}", current.version, expected_version)
        change = compare(current.schema, schema)
        if change.is_empty:
            return SchemaPut(current, changed=False, deactivated_rules=())
        broken = self._broken_rules(pipeline_id, change, schema)
        if change.breaking:
            _refuse_unconfirmed(plan(pipeline, schema, change, broken), confirm)
        version = self._schemas.add(pipeline_id, current.version + 1, schema, self._caller)
        pipeline = self._pipelines.set_schema_version(pipeline_id, version.version)
        self._auditor.record(
            "schema.change",
            "schema",
            pipeline_id,
            pipeline_id=pipeline_id,
            object_name=pipeline.name,
            before=facts_of_schema(current),
            after=facts_of_schema(version),
        )
        off = tuple(rule.rule_id for rule in broken if rule.deactivated and rule.is_active)
        self._lifecycle.deactivate(pipeline, off, self._broken_candidates(pipeline_id, schema))
        return SchemaPut(version, changed=True, deactivated_rules=off)

    def _broken_rules(self, pipeline_id: int, change: SchemaChange, schema: EventSchema) -> list[BrokenRule]:
        if not change.breaking:
            return []
        touched = {item.field: item for item in change.breaking}
        broken = []
        rules = self._rules.list(pipeline_id)
        known = self._publisher.known_names(pipeline_id)
        for rule in rules:
            if rule.state is RuleState.DRAFT:
                continue
            result = check(rule.current.condition, schema, known)
            reasons = [issue.message for issue in errors_of(result)]
            if rule.state is RuleState.ROLLOUT and not _can_roll_out(rule, schema):
                reasons.append("its rollout goes by a field that is no entity any more")
            if result.valid and not reasons:
                used = sorted(set(touched) & set(result.columns))
                reasons = [
                    f"uses {name}: {touched[name].before} becomes {touched[name].after}"
                    for name in used
                    if touched[name].kind != "role"
                ]
            if reasons:
                broken.append(
                    BrokenRule(
                        rule.id,
                        rule.current.description,
                        rule.state in EVALUATED,
                        not result.valid or (rule.state is RuleState.ROLLOUT and not _can_roll_out(rule, schema)),
                        tuple(reasons),
                    )
                )
        return broken

    def _broken_candidates(self, pipeline_id: int, schema: EventSchema) -> list[Rule]:
        rules = self._rules.list(pipeline_id)
        known = self._publisher.known_names(pipeline_id)
        return [
            rule
            for rule in rules
            if rule.candidate is not None
            and rule.candidate_state is not RuleState.DRAFT
            and not (check(rule.candidate.condition, schema, known).valid and _can_roll_out(rule, schema))
        ]

    def _version(self, pipeline: Pipeline, version: int) -> SchemaVersion:
        found = self._schemas.get(pipeline.id, version)
        if found is None:
            raise NotFoundError(
                f"the schema of pipeline {pipeline.id} has no version {version}; "
                f"the newest is {pipeline.schema_version}"
            )
        return found


def _can_roll_out(rule: Rule, schema: EventSchema) -> bool:
    return rule.rollout is None or rule.rollout.entity in {field.name for field in schema.entities}


def plan(pipeline: Pipeline, schema: EventSchema, change: SchemaChange, broken: Sequence[BrokenRule]) -> dict[str, Any]:
    """Return what a change would do, with the token that confirms exactly this."""
    content: dict[str, Any] = {
        "pipeline_id": pipeline.id,
        "from_version": pipeline.schema_version,
        "added": [field.as_json() for field in change.added],
        "breaking": [asdict(item) for item in change.breaking],
        "rules": [{**asdict(rule), "reasons": list(rule.reasons)} for rule in broken],
        "lake_columns": [
            {"column": item.field, "change": item.kind, "before": item.before, "after": item.after}
            for item in change.breaking
            if item.kind in _LAKE_KINDS
        ],
    }
    hashed = json.dumps([content, schema.content_hash], sort_keys=True, separators=(",", ":"))
    return {**content, "confirm": hashlib.sha256(hashed.encode()).hexdigest()[:32]}


def _refuse_unconfirmed(shown: dict[str, Any], confirm: str | None) -> None:
    if confirm == shown["confirm"]:
        return
    count = len(shown["breaking"])
    what = f"{count} breaking change{'s' if count != 1 else ''} and {len(shown['rules'])} affected rules"
    again = "; what was confirmed is another plan: things have changed since" if confirm else ""
    raise BreakingChangeError(
        f"the change has {what}{again}; to make it all the same, repeat it with confirm={shown['confirm']}",
        plan=shown,
    )
