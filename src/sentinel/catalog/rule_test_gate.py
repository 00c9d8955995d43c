"""Keeps a rule whose tests fail from being published."""

from __future__ import annotations

from sentinel.domain.rule_test import RuleTestKey
from sentinel.errors import ErrorDetail, RuleTestsFailedError, RuleTestsNotRunError
from sentinel.rules.meaning import Around
from sentinel.stores.beside_rules import RuleTestStore


class RuleTestGate:
    """Asks what the tests of a rule said of a condition. It runs nothing: whoever publishes has them run before."""

    def __init__(self, tests: RuleTestStore) -> None:
        self._tests = tests

    def require_passed(self, rule_id: int, condition: str, schema_version: int, around: Around) -> None:
        """Refuse a condition unless the rule has no tests, or all of them passed with it as they are now.

        Args:
            around: What the rules and lists that it names stand for now.

        Raises:
            RuleTestsFailedError: A test failed; each is listed.
            RuleTestsNotRunError: They were not run with this condition, schema version and content of the tests.
        """
        tests = self._tests.list(rule_id)
        if not tests:
            return
        outcomes = self._tests.run(RuleTestKey.of(rule_id, condition, schema_version, tests, around))
        if outcomes is None:
            raise RuleTestsNotRunError(
                f"the {len(tests)} tests of rule {rule_id} were not run with this expression, or were changed since; "
                f"run them: POST /api/rules/{rule_id}/tests/run, or `sentinel rule test {rule_id}`"
            )
        failed = [outcome for outcome in outcomes if not outcome.passed]
        if failed:
            raise RuleTestsFailedError(
                f"{len(failed)} of {len(outcomes)} tests of rule {rule_id} fail with this expression; change it, or "
                "the tests that no longer say what is wanted",
                details=[
                    ErrorDetail(
                        "/rule_expression",
                        f"test {each.name!r} expects {each.expected} and gives {each.outcome}: {each.detail}",
                    )
                    for each in failed
                ],
            )
