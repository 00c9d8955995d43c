"""Tests beside rules in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sentinel.domain.rule_test import Outcome, RuleTest, RuleTestKey, RuleTestOutcome
from sentinel.stores.postgres.database import Connection, Row
from sentinel.stores.postgres.engine_tasks import stored
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("rule_tests")


class PostgresRuleTests:
    """The tests of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, rule_id: int) -> Sequence[RuleTest]:
        """Return the tests of a rule, oldest first."""
        return [_test(row) for row in self._connection.execute(_SQL["list"], {"rule_id": rule_id})]

    def add(self, rule_id: int, *, name: str, event: str, expected: Outcome, created_by: str) -> RuleTest | None:
        """Keep a test; None when its name is taken."""
        content = {"rule_id": rule_id, "name": name, "event": event, "expected": expected, "created_by": created_by}
        row = self._connection.execute(_SQL["add"], content).fetchone()
        return _test(row) if row else None

    def change(self, rule_id: int, test_id: int, *, name: str, event: str, expected: Outcome) -> RuleTest | None:
        """Change a test; None when there is none."""
        content = {"rule_id": rule_id, "test_id": test_id, "name": name, "event": event, "expected": expected}
        row = self._connection.execute(_SQL["change"], content).fetchone()
        return _test(row) if row else None

    def delete(self, rule_id: int, test_id: int) -> bool:
        """Delete a test; False when there is none."""
        return self._connection.execute(_SQL["delete"], {"rule_id": rule_id, "test_id": test_id}).rowcount > 0

    def run(self, key: RuleTestKey) -> Sequence[RuleTestOutcome] | None:
        """Return what the tests gave; None when they were not run."""
        row = self._connection.execute(_SQL["run"], asdict(key)).fetchone()
        return [RuleTestOutcome.from_json(each) for each in row["outcomes"]] if row else None

    def keep_run(self, key: RuleTestKey, outcomes: Sequence[RuleTestOutcome]) -> None:
        """Keep what the tests gave."""
        kept = stored([outcome.as_json() for outcome in outcomes])
        self._connection.execute(_SQL["keep_run"], {**asdict(key), "outcomes": kept})
        self._connection.execute(_SQL["prune_runs"], {"rule_id": key.rule_id})


def _test(row: Row) -> RuleTest:
    return RuleTest(**{**row, "expected": Outcome(row["expected"])})
