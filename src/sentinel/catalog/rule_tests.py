"""Use cases on the tests beside rules."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sentinel.catalog.audit import Auditor, facts_of_rule_test
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.rule import Rule
from sentinel.domain.rule_test import EXPECTED, MAX_EVENT_CHARACTERS, MAX_TESTS, Outcome, RuleTest, RuleTestKey
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.rules.dsl.check import check_rule
from sentinel.stores.base import PipelineStore, RuleStore, SchemaStore
from sentinel.stores.beside_rules import RuleTestStore


class RuleTestCatalog:
    """Tests beside the rules of one tenant."""

    def __init__(
        self,
        pipelines: PipelineStore,
        schemas: SchemaStore,
        rules: RuleStore,
        tests: RuleTestStore,
        *,
        publisher: Publisher,
        auditor: Auditor,
        caller: str,
    ) -> None:
        self._pipelines = pipelines
        self._schemas = schemas
        self._rules = rules
        self._tests = tests
        self._publisher = publisher
        self._auditor = auditor
        self._caller = caller

    def list(self, rule_id: int) -> Sequence[RuleTest]:
        """Return the tests of a rule, oldest first.

        Raises:
            NotFoundError: There is no such rule.
        """
        self._rule(rule_id)
        return self._tests.list(rule_id)

    def add(self, rule_id: int, *, name: str, event: str, expected: Outcome) -> RuleTest:
        """Add a test. It is not run: a rule that is active may have a test that only its next version passes.

        Raises:
            NotFoundError: There is no such rule.
            InvalidError: The event is too long, or no rule can have that outcome.
            ConflictError: The name is taken, or the rule has as many tests as one may.
        """
        self._lock(rule_id)
        _refuse_content(event, expected)
        if len(self._tests.list(rule_id)) >= MAX_TESTS:
            raise ConflictError(f"rule {rule_id} has {MAX_TESTS} tests, as many as one may; delete one first")
        added = self._tests.add(rule_id, name=name, event=event, expected=expected, created_by=self._caller)
        if added is None:
            raise _taken(rule_id, name)
        self._record("test.add", rule_id, None, added)
        return added

    def notes_on(self, test: RuleTest) -> Sequence[str]:
        """Return what is odd about a test's event: that it is none, or has fields that the schema has not."""
        rule = self._rule(test.rule_id)
        pipeline = self._pipelines.get(rule.pipeline_id)
        schema = self._schemas.get(pipeline.id, pipeline.schema_version) if pipeline is not None else None
        try:
            event = json.loads(test.event)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            return ["the event is no JSON object, so it is a dead letter"]
        unknown = [] if schema is None else [name for name in event if schema.schema.field(name) is None]
        if not unknown:
            return []
        return [f"the schema has no field {', '.join(name[:64] for name in unknown[:10])}: it is not read"]

    def change(
        self, rule_id: int, test_id: int, *, name: str, event: str, expected: Outcome, expected_version: int | None
    ) -> RuleTest:
        """Change a test.

        Raises:
            NotFoundError: There is no such rule or test.
            VersionMismatchError: It is no longer at the expected version.
            InvalidError: The event is too long, or no rule can have that outcome.
            ConflictError: The name is taken.
        """
        self._lock(rule_id)
        _refuse_content(event, expected)
        tests = self._tests.list(rule_id)
        before = _find(tests, rule_id, test_id)
        refuse_other_version(f"test {test_id}", before.version, expected_version)
        if any(test.name == name and test.id != test_id for test in tests):
            raise _taken(rule_id, name)
        changed = self._tests.change(rule_id, test_id, name=name, event=event, expected=expected)
        if changed is None:
            raise _no_test(rule_id, test_id)
        self._record("test.change", rule_id, before, changed)
        return changed

    def delete(self, rule_id: int, test_id: int, *, expected_version: int | None) -> None:
        """Delete a test.

        Raises:
            NotFoundError: There is no such rule or test.
            VersionMismatchError: It is no longer at the expected version.
        """
        self._lock(rule_id)
        found = _find(self._tests.list(rule_id), rule_id, test_id)
        refuse_other_version(f"test {test_id}", found.version, expected_version)
        self._tests.delete(rule_id, test_id)
        self._record("test.delete", rule_id, found, None)

    def waits_for_run(
        self,
        rule_id: int,
        *,
        rule_expression: str | None = None,
        version: int | None = None,
        candidate: bool = False,
        activates: bool = False,
    ) -> str | None:
        """Return the condition that the tests have to be run with before a change is published; None: nothing waits.

        What is wrong with the change itself is left to be told by it.

        Args:
            rule_expression: What the rule is to say; else
            version: The version whose content it is to have; else what it, or its candidate, says now.
            candidate: Whether the change is about its candidate, where it has one.
            activates: Whether the change makes it alert.
        """
        rule, tests = self._rules.get(rule_id), self._tests.list(rule_id)
        pipeline = self._pipelines.get(rule.pipeline_id) if rule else None
        if rule is None or pipeline is None or not tests or not (rule.is_active or activates):
            return None
        if rule.is_active and rule_expression is None and version is None and not activates:
            return None
        if candidate and rule.candidate is not None:
            version = rule.candidate.version
        schema = self._schemas.get(pipeline.id, pipeline.schema_version)
        condition = self._condition(rule, rule_expression, version)
        if schema is None or condition is None:
            return None
        known = self._publisher.known_names(pipeline.id, condition, rule.name)
        checked = check_rule(condition, schema.schema, known, is_stored=rule_expression is None)
        if not checked.result.valid:
            return None
        around = self._publisher.around(checked.rule_expression, known)
        key = RuleTestKey.of(rule_id, checked.rule_expression, pipeline.schema_version, tests, around)
        return None if self._tests.run(key) is not None else checked.rule_expression

    def pipeline_of(self, rule_id: int) -> int:
        """Return the pipeline of a rule.

        Raises:
            NotFoundError: There is no such rule.
        """
        return self._rule(rule_id).pipeline_id

    def _condition(self, rule: Rule, rule_expression: str | None, version: int | None) -> str | None:
        if rule_expression is not None:
            return rule_expression
        if version is None:
            return rule.current.condition
        found = (entry.version for entry in self._rules.history(rule.id) if entry.version.version == version)
        wanted = next(found, None)
        return wanted.condition if wanted else None

    def _record(self, action: str, rule_id: int, before: RuleTest | None, after: RuleTest | None) -> None:
        rule = self._rule(rule_id)
        self._auditor.record(
            action,
            "rule",
            rule_id,
            pipeline_id=rule.pipeline_id,
            object_name=rule.name,
            before=None if before is None else facts_of_rule_test(before),
            after=None if after is None else facts_of_rule_test(after),
        )

    def _rule(self, rule_id: int) -> Rule:
        rule = self._rules.get(rule_id)
        if rule is None:
            raise NotFoundError(f"there is no rule {rule_id}")
        return rule

    def _lock(self, rule_id: int) -> None:
        self._pipelines.lock(self._rule(rule_id).pipeline_id)


def _refuse_content(event: str, expected: Outcome) -> None:
    if len(event) > MAX_EVENT_CHARACTERS:
        message = f"the event has {len(event)} characters; at most {MAX_EVENT_CHARACTERS} are allowed"
        raise InvalidError(message, details=[ErrorDetail("/event", message)])
    if expected not in EXPECTED:
        message = f"a rule is never {expected}; expect one of {', '.join(EXPECTED)}"
        raise InvalidError(message, details=[ErrorDetail("/expected", message)])


def _find(tests: Sequence[RuleTest], rule_id: int, test_id: int) -> RuleTest:
    found = next((test for test in tests if test.id == test_id), None)
    if found is None:
        raise _no_test(rule_id, test_id)
    return found


def _no_test(rule_id: int, test_id: int) -> NotFoundError:
    return NotFoundError(f"rule {rule_id} has no test {test_id}")


def _taken(rule_id: int, name: str) -> ConflictError:
    return ConflictError(
        f"rule {rule_id} has a test named {name!r} already; choose another name",
        details=[ErrorDetail("/name", "taken")],
    )
