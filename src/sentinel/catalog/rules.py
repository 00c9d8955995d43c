"""Use cases on rules: check, add, change, switch on and off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sentinel.catalog.rule_test_gate import RuleTestGate
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.rule import Rule, RuleContent, RuleHistoryEntry, RuleVersion, Severity
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, InvalidRuleError, NotFoundError
from sentinel.rules.checker import CheckResult, check
from sentinel.rules.dsl.check import CheckedRule, check_rule
from sentinel.stores.base import PipelineStore, RuleStore, SchemaStore

# What the figures in docs/performance.md were measured with.
MAX_ACTIVE_RULES = 1000


class RuleCatalog:
    """Rules of one tenant. Every change of what is active writes the next rule set, which a running job notices."""

    def __init__(
        self,
        pipelines: PipelineStore,
        schemas: SchemaStore,
        rules: RuleStore,
        tests: RuleTestGate,
        *,
        caller: str,
        before_force: Callable[[Pipeline, str], None] = lambda _pipeline, _condition: None,
    ) -> None:
        """Build it.

        Args:
            before_force: Called with a condition that is about to go into force; may raise to refuse it.
        """
        self._pipelines = pipelines
        self._schemas = schemas
        self._rules = rules
        self._tests = tests
        self._caller = caller
        self._before_force = before_force

    def list(self, pipeline_id: int) -> list[Rule]:
        """Return the rules of a pipeline, oldest first.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        if self._pipelines.get(pipeline_id) is None:
            raise no_pipeline(pipeline_id)
        return self._rules.list(pipeline_id)

    def get(self, rule_id: int) -> Rule:
        """Return a rule.

        Raises:
            NotFoundError: There is no such rule.
        """
        rule = self._rules.get(rule_id)
        if rule is None:
            raise NotFoundError(f"there is no rule {rule_id}")
        return rule

    def check(self, rule_expression: str, *, pipeline_id: int | None, schema: EventSchema | None) -> CheckedRule:
        """Check a rule against a pipeline's current schema, or against a schema that is no pipeline's yet.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        if schema is None:
            if pipeline_id is None:
                raise ValueError("a check needs a pipeline or a schema")
            pipeline = self._pipelines.get(pipeline_id)
            if pipeline is None:
                raise no_pipeline(pipeline_id)
            schema = self._schema_of(pipeline)
        return check_rule(rule_expression, schema)

    def add(
        self,
        pipeline_id: int,
        *,
        rule_expression: str,
        severity: Severity | None,
        description: str,
        is_active: bool = True,
        comment: str = "",
    ) -> Rule:
        """Add a rule.

        Args:
            rule_expression: A condition in Spark SQL, or a rule in the short form.
            severity: May be left out where the short form names it; without either it is `warning`.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidRuleError: The expression has errors; all issues are listed.
            InvalidError: No severity, or two different ones.
            ConflictError: The pipeline has as many active rules as one may.
        """
        pipeline = self._locked(pipeline_id)
        content = self._content(pipeline, rule_expression, severity, description)
        if is_active:
            self._refuse_too_many(pipeline_id)
            self._before_force(pipeline, content.condition)
        rule = self._rules.add(pipeline_id, content, is_active=is_active, created_by=self._caller, comment=comment)
        if is_active:
            self.publish(pipeline)
        return rule

    def change(
        self,
        rule_id: int,
        *,
        rule_expression: str,
        severity: Severity | None,
        description: str,
        expected_version: int | None,
        comment: str = "",
    ) -> Rule:
        """Write the next version of a rule. The same content again changes nothing.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            InvalidRuleError: The expression has errors; all issues are listed.
            InvalidError: No severity, or two different ones.
            ConflictError: The rule is active, and its tests fail with the new version or were not run.
        """
        pipeline, rule = self._locked_rule(rule_id)
        refuse_other_version(f"rule {rule_id}", rule.version, expected_version)
        content = self._content(pipeline, rule_expression, severity, description)
        return self._write(pipeline, rule, content, comment)

    def history(self, rule_id: int) -> Sequence[RuleHistoryEntry]:
        """Return all versions of a rule, oldest first.

        Raises:
            NotFoundError: There is no such rule.
        """
        self.get(rule_id)
        return self._rules.history(rule_id)

    def roll_back(self, rule_id: int, version: int, *, expected_version: int | None, comment: str = "") -> Rule:
        """Write the content of an earlier version as the next one: what was in force between them stays known.

        Raises:
            NotFoundError: There is no such rule or version.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: That version does not fit the schema of today, or the rule's tests fail or were not run.
        """
        pipeline, rule = self._locked_rule(rule_id)
        refuse_other_version(f"rule {rule_id}", rule.version, expected_version)
        wanted = next(
            (entry.version for entry in self._rules.history(rule_id) if entry.version.version == version), None
        )
        if wanted is None:
            raise NotFoundError(f"rule {rule_id} has no version {version}; its newest is {rule.current.version}")
        self._refuse_unfit(pipeline, wanted, f"version {version} of rule {rule_id}", "/version")
        return self._write(pipeline, rule, wanted.content, comment or f"back to version {version}")

    def _write(self, pipeline: Pipeline, rule: Rule, content: RuleContent, comment: str) -> Rule:
        if rule.current.content == content:
            return rule
        if rule.is_active:
            self._tests.require_passed(rule.id, content.condition, pipeline.schema_version)
            if content.condition != rule.current.condition:
                self._before_force(pipeline, content.condition)
        changed = self._rules.add_version(rule.id, content, created_by=self._caller, comment=comment)
        if rule.is_active:
            self.publish(pipeline)
        return changed

    def _refuse_unfit(self, pipeline: Pipeline, version: RuleVersion, what: str, pointer: str) -> None:
        result = check(version.condition, self._schema_of(pipeline))
        if not result.valid:
            raise ConflictError(
                f"{what} does not fit schema version {pipeline.schema_version} of its pipeline; change its "
                "expression first",
                details=[ErrorDetail(pointer, issue.message) for issue in errors_of(result)],
            )

    def set_active(self, rule_id: int, *, is_active: bool, expected_version: int | None) -> Rule:
        """Switch a rule on or off.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: It no longer fits the schema, there are as many active rules as one may, or its tests fail or
                were not run.
        """
        pipeline, rule = self._locked_rule(rule_id)
        refuse_other_version(f"rule {rule_id}", rule.version, expected_version)
        if rule.is_active == is_active:
            return rule
        if is_active:
            self._refuse_too_many(pipeline.id)
            self._refuse_unfit(pipeline, rule.current, f"rule {rule_id}", "/is_active")
            self._tests.require_passed(rule_id, rule.current.condition, pipeline.schema_version)
            self._before_force(pipeline, rule.current.condition)
        self._rules.set_active([rule_id], is_active)
        self.publish(pipeline)
        return self.get(rule_id)

    def deactivate(self, pipeline: Pipeline, rule_ids: Sequence[int]) -> None:
        """Switch rules off that no longer fit; the caller holds the pipeline."""
        if rule_ids:
            self._rules.set_active(rule_ids, False)
            self.publish(pipeline)

    def publish(self, pipeline: Pipeline) -> None:
        """Write the next rule set and point the pipeline, which the caller holds, to it: its job notices."""
        version = pipeline.rule_set_version + 1
        self._rules.add_rule_set(pipeline.id, version)
        self._pipelines.set_rule_set_version(pipeline.id, version)

    def _content(
        self, pipeline: Pipeline, rule_expression: str, severity: Severity | None, description: str
    ) -> RuleContent:
        checked = check_rule(rule_expression, self._schema_of(pipeline))
        refuse_errors(checked.result)
        return RuleContent(
            checked.rule_expression, _severity(checked, severity), description, checked.short_form, checked.actions
        )

    def _refuse_too_many(self, pipeline_id: int) -> None:
        active = sum(rule.is_active for rule in self._rules.list(pipeline_id))
        if active >= MAX_ACTIVE_RULES:
            raise ConflictError(
                f"pipeline {pipeline_id} has {active} active rules, as many as one may; switch one off first"
            )

    def _locked(self, pipeline_id: int) -> Pipeline:
        pipeline = self._pipelines.lock(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        return pipeline

    def _locked_rule(self, rule_id: int) -> tuple[Pipeline, Rule]:
        pipeline = self._locked(self.get(rule_id).pipeline_id)
        return pipeline, self.get(rule_id)

    def _schema_of(self, pipeline: Pipeline) -> EventSchema:
        version = self._schemas.get(pipeline.id, pipeline.schema_version)
        if version is None:
            raise NotFoundError(f"pipeline {pipeline.id} has no schema version {pipeline.schema_version}")
        return version.schema


def _severity(checked: CheckedRule, given: Severity | None) -> Severity:
    named = next((Severity(str(action.value)) for action in checked.actions if action.kind == "severity"), None)
    if named is not None and given is not None and named != given:
        message = f"the rule says severity {named}, the request says {given}; leave out one of them"
        raise InvalidError(message, details=[ErrorDetail("/severity", message)])
    if checked.short_form is not None:
        return named or given or Severity.WARNING
    if given is None:
        message = f"a rule needs a severity: {', '.join(Severity)}"
        raise InvalidError(message, details=[ErrorDetail("/severity", message)])
    return given


def no_pipeline(pipeline_id: int) -> NotFoundError:
    """Build the error of a pipeline that this tenant does not have."""
    return NotFoundError(f"there is no pipeline {pipeline_id}")


def errors_of(result: CheckResult) -> list[Any]:
    """Return the issues that make a rule invalid."""
    return [issue for issue in result.issues if issue.severity == "error"]


def refuse_errors(result: CheckResult) -> None:
    """Refuse a rule with errors.

    Raises:
        InvalidRuleError: With every issue, warnings too.
    """
    if not result.valid:
        count = len(errors_of(result))
        raise InvalidRuleError(
            f"the rule expression has {count} error{'s' if count != 1 else ''}",
            issues=[issue.as_json() for issue in result.issues],
        )
