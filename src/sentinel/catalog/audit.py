"""Writes audit entries beside the changes they tell of, in the same transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sentinel.domain.pipeline import Pipeline
from sentinel.domain.rule import Rule, RuleVersion
from sentinel.domain.rule_test import RuleTest
from sentinel.domain.scorecard import Scorecard
from sentinel.stores.base import SchemaVersion
from sentinel.stores.beside_rules import AuditStore


class Auditor:
    """Records what one caller does."""

    def __init__(self, entries: AuditStore, caller: str) -> None:
        self._entries = entries
        self._caller = caller

    def record(
        self,
        action: str,
        object_type: str,
        object_id: int,
        *,
        pipeline_id: int | None,
        object_name: str = "",
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        comment: str = "",
    ) -> None:
        """Record a change, with what it made of what; one that changed nothing leaves no entry."""
        if before is not None and after is not None:
            changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
            if not changed:
                return
            before = {name: value for name, value in before.items() if name in changed}
            after = {name: value for name, value in after.items() if name in changed}
        self._entries.add(
            actor=self._caller,
            action=action,
            object_type=object_type,
            object_id=object_id,
            object_name=object_name,
            pipeline_id=pipeline_id,
            before=before,
            after=after,
            comment=comment,
        )

    def rule(self, action: str, before: Rule | None, after: Rule, comment: str = "") -> Rule:
        """Record what became of a rule, and return it."""
        self.record(
            f"rule.{action}",
            "rule",
            after.id,
            pipeline_id=after.pipeline_id,
            object_name=after.name,
            before=None if before is None else facts_of_rule(before),
            after=facts_of_rule(after),
            comment=comment,
        )
        return after

    def pipeline(self, action: str, before: Pipeline | None, after: Pipeline) -> Pipeline:
        """Record what became of a pipeline, and return it."""
        self.record(
            f"pipeline.{action}",
            "pipeline",
            after.id,
            pipeline_id=after.id,
            object_name=after.name,
            before=None if before is None else facts_of_pipeline(before),
            after=facts_of_pipeline(after),
        )
        return after

    def scorecard(self, action: str, before: Scorecard | None, after: Scorecard, comment: str = "") -> Scorecard:
        """Record what became of a scorecard, and return it."""
        self.record(
            f"scorecard.{action}",
            "scorecard",
            after.id,
            pipeline_id=after.pipeline_id,
            object_name=after.name,
            before=None if before is None else facts_of_scorecard(before),
            after=facts_of_scorecard(after),
            comment=comment,
        )
        return after


def facts_of_pipeline(pipeline: Pipeline) -> dict[str, Any]:
    """Return what there is to say of a pipeline, as plain data; its schema and its rules have entries of their own."""
    return {"status": pipeline.status.value, "kafka_topic": pipeline.kafka_topic, **pipeline.config.as_json()}


def facts_of_schema(version: SchemaVersion) -> dict[str, Any]:
    """Return what there is to say of a schema version, as plain data: what it says of each field."""
    fields = {field["name"]: field for field in version.schema.as_json()}
    return {"version": version.version, "content_hash": version.schema.content_hash, **fields}


def facts_of_rule_test(test: RuleTest) -> dict[str, Any]:
    """Return what there is to say of a test beside a rule, as plain data; its event may be personal, so by its hash."""
    event = hashlib.sha256(test.event.encode()).hexdigest()
    return {"name": test.name, "event_sha256": event, "expected": test.expected.value}


def facts_of_rule(rule: Rule) -> dict[str, Any]:
    """Return what there is to say of a rule, as plain data."""
    return {
        "name": rule.name,
        "state": rule.state.value,
        **facts_of_version(rule.current),
        "candidate": (
            None
            if rule.candidate is None or rule.candidate_state is None
            else {"state": rule.candidate_state.value, **facts_of_version(rule.candidate)}
        ),
        "rollout": None if rule.rollout is None else rule.rollout.as_json(),
    }


def facts_of_version(version: RuleVersion) -> dict[str, Any]:
    """Return what there is to say of a version, as plain data."""
    return {
        "version": version.version,
        "content_hash": version.content.content_hash,
        "rule_expression": version.condition,
        "short_form": version.short_form,
        "severity": version.severity.value,
        "description": version.description,
    }


def facts_of_scorecard(card: Scorecard) -> dict[str, Any]:
    """Return what there is to say of a scorecard, as plain data."""
    content = card.current.content
    return {
        "name": card.name,
        "is_active": card.is_active,
        "version": card.current.version,
        "content_hash": card.current.content_hash,
        "weights": dict(content.weights),
        "thresholds": {"review": content.thresholds.review, "decline": content.thresholds.decline},
    }
