"""Rules, their versions and rule sets in PostgreSQL."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg.types.json import Jsonb

from sentinel.domain.rollout import ArmCount
from sentinel.domain.rule import (
    RolloutPlan,
    Rule,
    RuleContent,
    RuleHistoryEntry,
    RuleSetMembers,
    RuleState,
    RuleVersion,
    Severity,
)
from sentinel.domain.rule_action import RuleAction
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("rules")


class PostgresRules:
    """The rules of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held_pipeline: int | None = None
        self._held: dict[int, Rule] = {}

    @contextmanager
    def held(self, pipeline_id: int) -> Iterator[None]:
        """Read the rules of a locked pipeline once, for many changes; `get` and `list` answer from that meanwhile."""
        self._held = {rule.id: rule for rule in self.list(pipeline_id)}
        self._held_pipeline = pipeline_id
        try:
            yield
        finally:
            self._held_pipeline, self._held = None, {}

    def get(self, rule_id: int) -> Rule | None:
        """Return the rule."""
        return self._held.get(rule_id) or self._read(rule_id)

    def _read(self, rule_id: int) -> Rule | None:
        row = self._connection.execute(_SQL["get"], {"rule_id": rule_id}).fetchone()
        return _rule(row) if row else None

    def list(self, pipeline_id: int | None = None, *, archived: bool = False) -> list[Rule]:
        """Return the rules of a pipeline, or of all, oldest first."""
        if pipeline_id is not None and pipeline_id == self._held_pipeline and not archived:
            return list(self._held.values())
        rows = self._connection.execute(_SQL["list"], {"pipeline_id": pipeline_id, "archived": archived})
        return [_rule(row) for row in rows]

    def history(self, rule_id: int) -> Sequence[RuleHistoryEntry]:
        """Return all versions of a rule, oldest first."""
        rows = self._connection.execute(_SQL["history"], {"rule_id": rule_id})
        return [
            RuleHistoryEntry(
                _version(row), row["content_hash"], row["comment"], row["created_by"], row["version_created_at"]
            )
            for row in rows
        ]

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
        parameters = {"pipeline_id": pipeline_id, "name": name or f"r_{uuid.uuid4().hex}", "state": state}
        rule_id = required(self._connection.execute(_SQL["add"], parameters).fetchone())["id"]
        if name is None:
            self._connection.execute(_SQL["name_by_id"], {"rule_id": rule_id})
        self._write_version(rule_id, content, created_by, comment)
        self._look_again(rule_id)
        return self._existing(rule_id)

    def add_version(
        self, rule_id: int, content: RuleContent, *, created_by: str, comment: str, current: bool = True
    ) -> int:
        """Write the next version, make it the current one unless told otherwise, and return its number."""
        version = self._write_version(rule_id, content, created_by, comment)
        if current:
            self.set_current(rule_id, version)
        return version

    def set_current(self, rule_id: int, version: int) -> None:
        """Make a version the current one."""
        self._connection.execute(_SQL["set_current"], {"rule_id": rule_id, "content_version": version})
        self._look_again(rule_id)

    def set_name(self, rule_id: int, name: str) -> None:
        """Give a rule another name."""
        self._connection.execute(_SQL["set_name"], {"rule_id": rule_id, "name": name})
        self._look_again(rule_id)

    def set_state(self, rule_ids: Sequence[int], state: RuleState, rollout: RolloutPlan | None = None) -> None:
        """Move rules to a state; the plan is that of a rollout. A candidate beside one becomes a draft."""
        plan = None if rollout is None else Jsonb(rollout.as_json())
        self._connection.execute(_SQL["set_state"], {"rule_ids": [*rule_ids], "state": state, "rollout": plan})
        self._look_again(*rule_ids)

    def set_candidate(
        self, rule_id: int, version: int | None, state: RuleState | None, rollout: RolloutPlan | None = None
    ) -> None:
        """Put a version beside the current one, or take it away."""
        plan = None if rollout is None else Jsonb(rollout.as_json())
        self._connection.execute(
            _SQL["set_candidate"],
            {"rule_id": rule_id, "content_version": version, "state": state, "rollout": plan},
        )
        self._look_again(rule_id)

    def add_rule_set(self, pipeline_id: int, version: int, members: RuleSetMembers) -> None:
        """Write a rule set."""
        self._connection.execute(
            _SQL["add_rule_set"],
            {
                "pipeline_id": pipeline_id,
                "version": version,
                "rule_version_ids": list(members.rules),
                "members": Jsonb(members.as_json()),
            },
        )

    def rule_set(self, pipeline_id: int, version: int) -> RuleSetMembers:
        """Return what a rule set holds."""
        parameters = {"pipeline_id": pipeline_id, "version": version}
        row = required(self._connection.execute(_SQL["rule_set"], parameters).fetchone())
        return RuleSetMembers.from_json(row["rule_version_ids"], row["members"])

    def quarantined(self, pipeline_id: int) -> frozenset[int]:
        """Return the ids of the versions that are in quarantine."""
        rows = self._connection.execute(_SQL["quarantined"], {"pipeline_id": pipeline_id})
        return frozenset(row["rule_version_id"] for row in rows)

    def arm_counts(self, pipeline_id: int, rule_id: int, rule_version_id: int, entity: str) -> tuple[ArmCount, ...]:
        """Return the alerts of each arm while a version was in rollout, per share that it had."""
        parameters = {
            "pipeline_id": pipeline_id,
            "rule_id": rule_id,
            "rule_version_id": rule_version_id,
            "entity": entity,
        }
        return tuple(ArmCount(**row) for row in self._connection.execute(_SQL["arm_counts"], parameters))

    def _write_version(self, rule_id: int, content: RuleContent, created_by: str, comment: str) -> int:
        actions = [action.as_json() for action in content.actions]
        row = self._connection.execute(
            _SQL["add_version"],
            {
                "rule_id": rule_id,
                "rule_expression": content.condition,
                "severity": content.severity,
                "description": content.description,
                "short_form": content.short_form,
                "actions": json.dumps(actions),
                "content_hash": content.content_hash,
                "created_by": created_by,
                "comment": comment,
                "list_names": [*content.lists],
            },
        ).fetchone()
        return int(required(row)["version"])

    def _look_again(self, *rule_ids: int) -> None:
        """Keep what is held as it is in the database."""
        if self._held_pipeline is None:
            return
        for rule_id in rule_ids:
            rule = self._read(rule_id)
            if rule is None or rule.state is RuleState.ARCHIVED or rule.pipeline_id != self._held_pipeline:
                self._held.pop(rule_id, None)
            else:
                self._held[rule_id] = rule

    def _existing(self, rule_id: int) -> Rule:
        rule = self.get(rule_id)
        if rule is None:
            raise LookupError(f"rule {rule_id} was just written and is not there: a mistake of ours")
        return rule


def _rule(row: Row) -> Rule:
    return Rule(
        id=row["id"],
        pipeline_id=row["pipeline_id"],
        name=row["name"],
        state=RuleState(row["state"]),
        current=_version(row),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        candidate=None if row["candidate"] is None else _candidate(row["candidate"]),
        candidate_state=None if row["candidate_state"] is None else RuleState(row["candidate_state"]),
        rollout=None if row["rollout"] is None else RolloutPlan.from_json(row["rollout"]),
    )


def _candidate(version: Row) -> RuleVersion:
    stored = {
        **version,
        "id": version["rule_id"],
        "rule_version_id": version["id"],
        "content_version": version["version"],
    }
    return _version(stored)


def _version(row: Row) -> RuleVersion:
    return RuleVersion(
        rule_id=row["id"],
        rule_version_id=row["rule_version_id"],
        version=row["content_version"],
        condition=row["rule_expression"],
        severity=Severity(row["severity"]),
        description=row["description"],
        short_form=row["short_form"],
        actions=tuple(RuleAction.from_json(action) for action in row["actions"]),
        lists=tuple(row["list_names"]),
    )
