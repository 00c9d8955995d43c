"""Rules, their versions and rule sets in PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from sentinel.domain.rule import Rule, RuleContent, RuleHistoryEntry, RuleVersion, Severity
from sentinel.domain.rule_action import RuleAction
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.lists import pin_lists
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("rules")


class PostgresRules:
    """The rules of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, rule_id: int) -> Rule | None:
        """Return the rule."""
        row = self._connection.execute(_SQL["get"], {"rule_id": rule_id}).fetchone()
        return _rule(row) if row else None

    def list(self, pipeline_id: int | None = None) -> list[Rule]:
        """Return the rules of a pipeline, or of all, oldest first."""
        return [_rule(row) for row in self._connection.execute(_SQL["list"], {"pipeline_id": pipeline_id})]

    def history(self, rule_id: int) -> Sequence[RuleHistoryEntry]:
        """Return all versions of a rule, oldest first."""
        rows = self._connection.execute(_SQL["history"], {"rule_id": rule_id})
        return [
            RuleHistoryEntry(
                _version(row), row["content_hash"], row["comment"], row["created_by"], row["version_created_at"]
            )
            for row in rows
        ]

    def add(self, pipeline_id: int, content: RuleContent, *, is_active: bool, created_by: str, comment: str) -> Rule:
        """Create a rule at version 1."""
        cursor = self._connection.execute(_SQL["add"], {"pipeline_id": pipeline_id, "is_active": is_active})
        rule_id = required(cursor.fetchone())["id"]
        self._write_version(rule_id, content, created_by, comment)
        return self._existing(rule_id)

    def add_version(self, rule_id: int, content: RuleContent, *, created_by: str, comment: str) -> Rule:
        """Write the next version and make it the current one."""
        self._write_version(rule_id, content, created_by, comment)
        self._connection.execute(_SQL["point_to_newest"], {"rule_id": rule_id})
        return self._existing(rule_id)

    def set_active(self, rule_ids: Sequence[int], is_active: bool) -> None:
        """Switch rules on or off."""
        self._connection.execute(_SQL["set_active"], {"rule_ids": [*rule_ids], "is_active": is_active})

    def add_rule_set(self, pipeline_id: int, version: int) -> None:
        """Write the rule set of what is active now, with the newest versions of the lists that its rules read."""
        self._connection.execute(_SQL["add_rule_set"], {"pipeline_id": pipeline_id, "version": version})
        pin_lists(self._connection, pipeline_id, version)

    def _write_version(self, rule_id: int, content: RuleContent, created_by: str, comment: str) -> None:
        actions = [action.as_json() for action in content.actions]
        hashed = [content.condition, content.severity, content.description]
        if content.short_form is not None:
            hashed += [content.short_form]
        self._connection.execute(
            _SQL["add_version"],
            {
                "rule_id": rule_id,
                "rule_expression": content.condition,
                "severity": content.severity,
                "description": content.description,
                "short_form": content.short_form,
                "actions": json.dumps(actions),
                "content_hash": hashlib.sha256(json.dumps(hashed).encode()).hexdigest(),
                "created_by": created_by,
                "comment": comment,
                "list_names": [*content.lists],
            },
        )

    def _existing(self, rule_id: int) -> Rule:
        return _rule(required(self._connection.execute(_SQL["get"], {"rule_id": rule_id}).fetchone()))


def _rule(row: Row) -> Rule:
    return Rule(
        id=row["id"],
        pipeline_id=row["pipeline_id"],
        is_active=row["is_active"],
        current=_version(row),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


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
