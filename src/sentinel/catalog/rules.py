"""Use cases on rules: check, add, change, rename, roll back, switch on and off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sentinel.catalog.audit import Auditor
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.rule import (
    EVALUATED,
    RULE_NAME,
    Rule,
    RuleContent,
    RuleHistoryEntry,
    RuleState,
    Severity,
)
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, InvalidRuleError, NotFoundError
from sentinel.rules.checker import CheckResult
from sentinel.rules.dsl.check import CheckedRule, check_rule
from sentinel.rules.dsl.parser import is_short_form
from sentinel.rules.issue import Issue
from sentinel.rules.tables_read import tables_in
from sentinel.stores.base import PipelineStore, RuleStore


class RuleCatalog:
    """Rules of one tenant. Every change of what is evaluated writes the next rule set, which a running job notices."""

    def __init__(
        self, pipelines: PipelineStore, rules: RuleStore, publisher: Publisher, auditor: Auditor, caller: str
    ) -> None:
        self._pipelines = pipelines
        self._rules = rules
        self._publisher = publisher
        self._auditor = auditor
        self._caller = caller
        self._told: dict[str, tuple[Issue, ...]] = {}

    def list(self, pipeline_id: int, *, archived: bool = False) -> list[Rule]:
        """Return the rules of a pipeline, oldest first.

        Args:
            archived: Those that are archived as well.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        if self._pipelines.get(pipeline_id) is None:
            raise no_pipeline(pipeline_id)
        return self._rules.list(pipeline_id, archived=archived)

    def get(self, rule_id: int) -> Rule:
        """Return a rule.

        Raises:
            NotFoundError: There is no such rule.
        """
        rule = self._rules.get(rule_id)
        if rule is None:
            raise NotFoundError(f"there is no rule {rule_id}")
        return rule

    def check(
        self, rule_expression: str, *, pipeline_id: int | None, schema: EventSchema | None, name: str | None = None
    ) -> CheckedRule:
        """Check a rule against a pipeline's current schema, or against a schema that is no pipeline's yet.

        Args:
            name: Of the rule whose text it is; what refers to itself is refused.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        if schema is None:
            if pipeline_id is None:
                raise ValueError("a check needs a pipeline or a schema")
            pipeline = self._pipelines.get(pipeline_id)
            if pipeline is None:
                raise no_pipeline(pipeline_id)
            schema = self._publisher.schema_of(pipeline)
        else:
            pipeline_id = None
        return check_rule(rule_expression, schema, self._publisher.known_names(pipeline_id, rule_expression, name))

    def issues_of(self, rules: Sequence[Rule]) -> dict[int, tuple[Issue, ...]]:
        """Return what the check says of drafts, and of drafts beside rules, by rule id.

        Args:
            rules: Of one pipeline.
        """
        drafts = [rule for rule in rules if RuleState.DRAFT in (rule.state, rule.candidate_state)]
        pipeline = self._pipelines.get(drafts[0].pipeline_id) if drafts else None
        if pipeline is None:
            return {}
        schema, known = self._publisher.schema_of(pipeline), self._publisher.known_names(pipeline.id)
        found = {}
        for rule in drafts:
            version = rule.candidate if rule.candidate_state is RuleState.DRAFT and rule.candidate else rule.current
            text = version.short_form or version.condition
            found[rule.id] = check_rule(text, schema, replace(known, own_name=rule.name)).result.issues
        return found

    def told_of(self, rule: Rule) -> tuple[Issue, ...]:
        """Return what the check said of a rule's text when this unit of work wrote it."""
        return self._told.get(rule.current.short_form or rule.current.condition, ())

    def add(
        self,
        pipeline_id: int,
        *,
        rule_expression: str,
        severity: Severity | None,
        description: str,
        name: str | None = None,
        state: RuleState = RuleState.ACTIVE,
        comment: str = "",
    ) -> Rule:
        """Add a rule.

        Args:
            rule_expression: A condition in Spark SQL, or a rule in the short form. A draft's may have errors.
            severity: May be left out where the short form names it; without either it is `warning`.
            name: None: it is named by its number.
            state: draft, shadow, active or paused.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidRuleError: The expression has errors; all issues are listed.
            InvalidError: No severity, or two different ones; a name or a state that cannot be.
            ConflictError: The pipeline has as many active rules as one may, or a rule of that name.
        """
        pipeline = self.locked(pipeline_id)
        if state in (RuleState.ROLLOUT, RuleState.ARCHIVED):
            message = f"a rule does not begin as {state}; add it as draft, shadow, active or paused"
            raise InvalidError(message, details=[ErrorDetail("/state", message)])
        if name is not None:
            self._refuse_name(pipeline_id, name)
        content = self.content(
            pipeline, rule_expression, severity, description, name=name, draft=state is RuleState.DRAFT
        )
        rule = self._rules.add(pipeline_id, content, name=name, state=state, created_by=self._caller, comment=comment)
        if state in EVALUATED:
            what = f"rule {rule.name}"
            unborn = replace(rule, state=RuleState.DRAFT)
            self._publisher.admit(pipeline, unborn, rule.current, state, what=what, pointer="/rule_expression")
            self._publisher.publish(pipeline)
        return self._auditor.rule("add", None, rule, comment)

    def change(
        self,
        rule_id: int,
        *,
        rule_expression: str,
        severity: Severity | None,
        description: str,
        expected_version: int | None,
        name: str | None = None,
        comment: str = "",
    ) -> Rule:
        """Write the next version of a rule. The same content again changes nothing.

        Args:
            severity: Without one the rule keeps its own; the short form says it itself.
            name: Its name from now on; None: it keeps the one it has.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            InvalidRuleError: The expression has errors; all issues are listed.
            InvalidError: No severity, or two different ones; a name that cannot be.
            ConflictError: It is archived, a candidate is tried beside it, rules that refer to it could not be evaluated
                any more, its tests fail or were not run, or the name is taken or referred to.
        """
        pipeline, rule = self.locked_rule(rule_id, expected_version)
        kept = None if is_short_form(rule_expression) else rule.current.severity
        same = rule_expression == (rule.current.short_form or rule.current.condition)
        draft = rule.state is RuleState.DRAFT
        content = self.content(
            pipeline,
            rule_expression,
            severity or kept,
            description,
            name=rule.name,
            draft=draft,
            is_stored=same and not draft,
        )
        before = rule
        if name is not None and name != rule.name:
            self._rename(pipeline, rule, name)
            rule = self.get(rule_id)
        return self._auditor.rule("change", before, self._write(pipeline, rule, content, comment), comment)

    def history(self, rule_id: int) -> Sequence[RuleHistoryEntry]:
        """Return all versions of a rule, oldest first.

        Raises:
            NotFoundError: There is no such rule.
        """
        self.get(rule_id)
        return self._rules.history(rule_id)

    def version(self, rule_id: int, version: int) -> RuleHistoryEntry:
        """Return one version of a rule.

        Raises:
            NotFoundError: There is no such rule or version.
        """
        entries = self.history(rule_id)
        wanted = next((entry for entry in entries if entry.version.version == version), None)
        if wanted is None:
            raise NotFoundError(f"rule {rule_id} has no version {version}; its newest is {len(entries)}")
        return wanted

    def roll_back(self, rule_id: int, version: int, *, expected_version: int | None, comment: str = "") -> Rule:
        """Write the content of an earlier version as the next one: what was in force between them stays known.

        A candidate that is tried beside the rule is given up with it.

        Raises:
            NotFoundError: There is no such rule or version.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: It is archived, that version does not fit the schema of today, or the rule's tests fail or
                were not run.
        """
        pipeline, rule = self.locked_rule(rule_id, expected_version)
        wanted = self.version(rule_id, version).version
        what = f"version {version} of rule {rule_id}"
        if rule.state is not RuleState.DRAFT:
            self._publisher.admit(pipeline, rule, wanted, rule.state, what=what, pointer="/version")
        before, why = rule, comment or f"back to version {version}"
        if rule.candidate is not None:
            self._rules.set_candidate(rule_id, None, None)
            rule = self.get(rule_id)
        return self._auditor.rule("rollback", before, self._write(pipeline, rule, wanted.content, why), why)

    def _write(self, pipeline: Pipeline, rule: Rule, content: RuleContent, comment: str) -> Rule:
        """Make this the next current version."""
        if rule.candidate is not None:
            raise ConflictError(
                f"version {rule.candidate.version} of {rule.name} is tried beside it; promote or abort that first"
            )
        if rule.current.content != content:
            version = self._rules.add_version(rule.id, content, created_by=self._caller, comment=comment, current=False)
            if rule.state is not RuleState.DRAFT:
                what = f"version {version} of {rule.name}"
                written = self.version(rule.id, version).version
                self._publisher.admit(pipeline, rule, written, rule.state, what=what, pointer="/rule_expression")
            self._rules.set_current(rule.id, version)
        self._publisher.publish(pipeline)
        return self.get(rule.id)

    def set_active(self, rule_id: int, *, is_active: bool, expected_version: int | None) -> Rule:
        """Switch a rule on or off. One that alerts nobody, such as a draft, is off.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: It is archived, no longer fits the schema, there are as many active rules as one may, or its
                tests fail or were not run.
        """
        pipeline, rule = self.locked_rule(rule_id, expected_version)
        if rule.is_active == is_active:
            return rule
        state = RuleState.ACTIVE if is_active else RuleState.PAUSED
        if is_active:
            self._publisher.admit(
                pipeline, rule, rule.current, RuleState.ACTIVE, what=f"rule {rule_id}", pointer="/is_active"
            )
        self._rules.set_state([rule_id], state)
        self._publisher.publish(pipeline)
        return self._auditor.rule("state", rule, self.get(rule_id))

    def locked_rule(self, rule_id: int, expected_version: int | None) -> tuple[Pipeline, Rule]:
        """Return a rule that may be changed, with its pipeline held.

        Raises:
            NotFoundError: There is no such rule.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: It is archived.
        """
        pipeline = self.locked(self.get(rule_id).pipeline_id)
        rule = self.get(rule_id)
        refuse_other_version(f"rule {rule_id}", rule.version, expected_version)
        if rule.state is RuleState.ARCHIVED:
            raise ConflictError(f"rule {rule_id} is archived, which is for good; add a new one with its expression")
        return pipeline, rule

    def content(
        self,
        pipeline: Pipeline,
        rule_expression: str,
        severity: Severity | None,
        description: str,
        *,
        name: str | None,
        draft: bool = False,
        is_stored: bool = False,
    ) -> RuleContent:
        """Return what a request says of a rule, checked.

        Args:
            draft: Errors in the expression are no hindrance.
            is_stored: As of `check_rule`.

        Raises:
            InvalidRuleError: The expression has errors; all issues are listed.
            InvalidError: No severity, or two different ones.
        """
        known = self._publisher.known_names(pipeline.id, rule_expression, name)
        checked = check_rule(rule_expression, self._publisher.schema_of(pipeline), known, is_stored=is_stored)
        if not draft:
            refuse_errors(checked.result)
        self._told[rule_expression] = checked.result.issues
        chosen = _severity(checked, severity or (Severity.WARNING if draft and checked.short_form is None else None))
        return RuleContent(
            checked.rule_expression,
            chosen,
            description,
            checked.short_form,
            checked.actions,
            tuple(sorted(tables_in(checked.rule_expression))),
        )

    def _rename(self, pipeline: Pipeline, rule: Rule, name: str) -> None:
        self._refuse_name(rule.pipeline_id, name)
        self._publisher.refuse_needed(pipeline, rule, "renamed")
        self._rules.set_name(rule.id, name)

    def _refuse_name(self, pipeline_id: int, name: str) -> None:
        if RULE_NAME.fullmatch(name) is None:
            message = f"{name[:80]!r} is no name of a rule: a-z, then a-z, 0-9 and _, at most 64 characters"
            raise InvalidError(message, details=[ErrorDetail("/name", message)])
        if any(rule.name == name for rule in self._rules.list(pipeline_id)):
            raise ConflictError(
                f"pipeline {pipeline_id} has a rule named {name} already; choose another name",
                details=[ErrorDetail("/name", "taken")],
            )

    def locked(self, pipeline_id: int) -> Pipeline:
        """Return a pipeline, held until the end of the unit of work.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        pipeline = self._pipelines.lock(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        return pipeline


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
