"""Rules, told apart by their names within a pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import StringConstraints, model_validator

from sentinel.client import Client, models
from sentinel.client.rule_tests import RuleTest
from sentinel.errors import ConflictError, ErrorDetail, VersionMismatchError
from sentinel.files.kinds import rule_tests
from sentinel.files.kinds.base import (
    Change,
    Comparison,
    Declarations,
    Declared,
    Difference,
    Kind,
    PutOffError,
    Spec,
    Written,
    differing,
)
from sentinel.files.kinds.lists import ListKind
from sentinel.files.kinds.pipelines import PipelineKind, PipelineName, same_schema, schema_of
from sentinel.files.kinds.rule_tests import RuleTestSpec
from sentinel.files.remote import Remote

_SHORT_FORM = re.compile(r"\s*when\b", re.IGNORECASE)
_REFERENCE = re.compile(r"\brule\s*\(\s*['\"]([a-z][a-z0-9_]*)['\"]\s*\)", re.IGNORECASE)
# What the check of one rule cannot know when the rule it refers to is in the same files.
_OF_REFERENCES = frozenset({"unknown-rule", "rule-reference"})
# The same of a list.
_OF_LISTS = "unknown-table"

RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
State = Literal["draft", "shadow", "active", "paused", "rollout"]


class RuleSpec(Spec):
    """A rule in a file.

    Attributes:
        rule_expression: In Spark SQL or as `when ... then ...`.
        state: `rollout` says that somebody is rolling it out: its share is not the files' business.
        tests: All tests beside it; None: they are not the file's business.
    """

    kind: Literal["rule"]
    pipeline: PipelineName
    name: RuleName
    rule_expression: Annotated[str, StringConstraints(min_length=1)]
    severity: Literal["critical", "warning", "info"] | None = None
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    state: State = "active"
    tests: list[RuleTestSpec] | None = None

    @model_validator(mode="after")
    def _has_severity(self) -> RuleSpec:
        if self.severity is None and not self.is_short:
            raise ValueError("a rule in Spark SQL needs a severity: critical, warning or info")
        doubled = rule_tests.twice(self.tests or [])
        if doubled:
            raise ValueError(f"the test {doubled!r} is there twice")
        return self

    @property
    def is_short(self) -> bool:
        """Whether it is written as `when ... then ...`."""
        return _SHORT_FORM.match(self.rule_expression) is not None

    @property
    def expression(self) -> str:
        """The text, without the line break that YAML leaves at its end."""
        return self.rule_expression.strip()

    @property
    def refers_to(self) -> frozenset[str]:
        """Names in `rule('name')`."""
        return frozenset(_REFERENCE.findall(self.rule_expression))


class RuleKind(Kind):
    """Rules of declared pipelines. One that no file declares stays, unless everything else is to be archived."""

    name: ClassVar[str] = "rule"
    model: ClassVar[type[Spec]] = RuleSpec

    def key(self, spec: RuleSpec) -> tuple[str, ...]:
        """Return pipeline and name."""
        return (spec.pipeline, spec.name)

    def compare(self, declared: Declarations, remote: Remote, *, prune: bool) -> Comparison:
        """Compare texts, severities, descriptions and states; check every text that is new."""
        found = Comparison()
        rules = declared.get(self.name, {})
        pipelines = declared.get(PipelineKind.name, {})
        for key, item in rules.items():
            if (key[0],) not in pipelines and key[0] not in remote.pipelines:
                found.problems.append(
                    ErrorDetail(
                        item.document.where(("pipeline",)), f"there is no pipeline {key[0]!r}, nor in the files"
                    )
                )
                continue
            actual = _actual(remote, key)
            change = _addition(item) if actual is None else _change(item, actual, remote)
            if item.spec.state == "rollout" and (actual is None or actual.state != "rollout"):
                found.problems.append(
                    ErrorDetail(
                        item.document.where(("state",)),
                        "a rollout is begun by hand, with its share; the files can only say that there is one",
                    )
                )
                continue
            if change or _has_other_schema(key[0], declared, remote):
                problems, warnings = _checked(item, declared, remote)
                found.problems += problems
                change = change and replace(change, notes=change.notes + warnings)
            if change:
                found.changes.append(change)
        found.changes = _ordered(found.changes)
        for name in sorted({key[0] for key in (*rules, *pipelines)}):
            pipeline = remote.pipelines.get(name)
            extra = (
                [rule for rule in remote.rules(pipeline).values() if (name, rule.name) not in rules] if pipeline else []
            )
            if prune:
                # What refers to others goes before them.
                found.changes += _ordered([_removal(name, rule) for rule in extra])[::-1]
            else:
                found.extra += [(name, rule.name) for rule in extra]
        return found

    def apply(self, change: Change, remote: Remote) -> None:
        """Add a rule, write its next version, move it to another state, or archive it."""
        if change.action == "add" and change.declared is not None:
            _add(remote.client, remote.pipelines[change.pipeline].id, change.declared.spec)
            return
        rule: models.Rule = change.actual
        try:
            for step in _work(change, remote):
                rule = step(remote.client, rule)
        except VersionMismatchError:
            raise
        except ConflictError as error:
            raise PutOffError(error.message, replace(change, actual=rule)) from error

    def is_plain(self, change: Change) -> bool:
        """Whether it only writes a text: it moves no rule to another state and writes no tests."""
        if change.declared is None:
            return False
        spec: RuleSpec = change.declared.spec
        if change.action == "add":
            return not spec.tests and spec.state != "rollout"
        return {item.name for item in change.differences} <= {"rule_expression", "severity", "description"}

    def apply_together(self, changes: Sequence[Change], remote: Remote) -> None:
        """Add rules and write next versions, all of it in force at once."""
        remote.client.write_rules(remote.pipelines[changes[0].pipeline].id, [_entry(change) for change in changes])

    def written(self, remote: Remote, slugs: Mapping[str, str], wanted: Sequence[str]) -> list[Written]:
        """Return a document per rule."""
        return [
            Written(f"{slugs[name]}/rules/{rule.name}.yaml", _document(name, rule, remote.rule_tests(rule)))
            for name in wanted
            for rule in remote.rules(remote.pipelines[name]).values()
        ]


def _actual(remote: Remote, key: tuple[str, ...]) -> models.Rule | None:
    pipeline = remote.pipelines.get(key[0])
    return remote.rules(pipeline).get(key[1]) if pipeline else None


def _addition(item: Declared) -> Change:
    spec: RuleSpec = item.spec
    values = {
        "rule_expression": spec.expression,
        "severity": spec.severity,
        "description": spec.description.rstrip("\n") or None,
        "state": spec.state,
    }
    differences = tuple(Difference(name, None, value) for name, value in values.items() if value is not None)
    differences += tuple(rule_tests.differences(spec.tests or [], []))
    return Change("add", RuleKind.name, item.key, differences, item.where, declared=item)


def _change(item: Declared, actual: models.Rule, remote: Remote) -> Change | None:
    spec: RuleSpec = item.spec
    has_own_severity = any(action.kind == "severity" for action in actual.actions)
    pairs: dict[str, tuple[Any, Any]] = {
        "rule_expression": (_text_of(actual), spec.expression),
        "description": (actual.description.rstrip("\n"), spec.description.rstrip("\n")),
        "state": (actual.state, spec.state),
    }
    # The short form may name its severity itself; then that one counts.
    if spec.severity is not None and not (spec.is_short and has_own_severity):
        pairs["severity"] = (actual.severity, spec.severity)
    differences = differing(pairs)
    if spec.tests is not None:
        differences += tuple(rule_tests.differences(spec.tests, remote.rule_tests(actual)))
    if not differences:
        return None
    notes = []
    if actual.candidate is not None:
        notes.append(f"version {actual.candidate.version} is tried beside it ({actual.candidate.state}) and is kept")
    if actual.state == "rollout" and spec.state == "active":
        notes.append("its rollout ends: it counts for everyone")
    return Change(
        "change", RuleKind.name, item.key, differences, item.where, notes=tuple(notes), declared=item, actual=actual
    )


def _removal(pipeline: str, rule: models.Rule) -> Change:
    values = {"rule_expression": _text_of(rule), "severity": rule.severity, "state": rule.state}
    differences = tuple(Difference(name, value, None) for name, value in values.items())
    notes = ("it is archived; its versions and alerts are kept",)
    return Change("remove", RuleKind.name, (pipeline, rule.name), differences, notes=notes, actual=rule)


def _has_other_schema(pipeline: str, declared: Declarations, remote: Remote) -> bool:
    """Whether the files change the schema that the rules of a pipeline are about."""
    owner = declared.get(PipelineKind.name, {}).get((pipeline,))
    actual = remote.pipelines.get(pipeline)
    schema = schema_of(owner, []) if owner else None
    return schema is not None and actual is not None and not same_schema(schema, remote.schema(actual))


def _checked(item: Declared, declared: Declarations, remote: Remote) -> tuple[list[ErrorDetail], tuple[str, ...]]:
    """Return what the API has against a text, and its warnings, by the schema that will be in force."""
    pipeline = item.key[0]
    if item.spec.state == "draft":
        return [], ()
    owner = declared.get(PipelineKind.name, {}).get((pipeline,))
    actual = remote.pipelines.get(pipeline)
    schema = schema_of(owner, []) if owner else None
    if owner is not None and schema is None:
        return [], ()  # the schema's own problems are told
    if actual is not None and (schema is None or same_schema(schema, remote.schema(actual))):
        checked = remote.client.check_rule(item.spec.expression, pipeline_id=actual.id)
    else:
        checked = remote.client.check_rule(item.spec.expression, schema=schema.as_json() if schema else [])
    known = {key[1] for key in declared.get(RuleKind.name, {}) if key[0] == pipeline}
    is_known = bool(item.spec.refers_to) and item.spec.refers_to <= known
    lists = {key[0] for key in declared.get(ListKind.name, {})}
    actual_rule = _actual(remote, item.key)
    is_stored = actual_rule is not None and _text_of(actual_rule) == item.spec.expression
    warnings = tuple(f"warning: {_said(issue)}" for issue in checked.issues if issue.severity == "warning")
    return [
        ErrorDetail(item.document.where(("rule_expression",)), f"rule {' / '.join(item.key)}: {_said(issue)}")
        for issue in checked.issues
        if issue.severity == "error"
        and not (is_stored and _is_kept(issue, item.spec.expression))
        and not (issue.code in _OF_REFERENCES and is_known)
        and not (issue.code == _OF_LISTS and _word(item.spec.expression, issue.start, issue.end) in lists)
    ], warnings


def _is_kept(issue: models.Issue, text: str) -> bool:
    """Tell whether only a new text is refused for it; a rule that is there keeps what it means."""
    bare = ("decimal", "numeric", "dec")
    return issue.code == "escape" or (issue.code == "cast-type" and _word(text, issue.start, issue.end).lower() in bare)


def _said(issue: models.Issue) -> str:
    return f"{issue.message} {issue.suggestion}" if issue.suggestion else issue.message


def _word(text: str, start: int | None, end: int | None) -> str:
    return text[start:end].strip("`")


def _ordered(changes: list[Change]) -> list[Change]:
    """Return the changes so that a rule comes after those that it refers to; a circle is left to the API to refuse."""
    by_key = {change.key: change for change in changes}
    ordered: dict[tuple[str, ...], Change] = {}
    for change in changes:
        waiting = [change]
        begun: set[tuple[str, ...]] = set()
        while waiting:
            top = waiting[-1]
            begun.add(top.key)
            needs = [by_key[(top.pipeline, name)] for name in sorted(_needs(top)) if (top.pipeline, name) in by_key]
            missing = [need for need in needs if need.key not in ordered and need.key not in begun]
            if missing:
                waiting += missing
            else:
                ordered.setdefault(top.key, waiting.pop())
    return list(ordered.values())


def _needs(change: Change) -> frozenset[str]:
    if change.declared is not None:
        spec: RuleSpec = change.declared.spec
        return spec.refers_to
    return frozenset(_REFERENCE.findall(_text_of(change.actual)))


Step = Callable[[Client, models.Rule], models.Rule]


def _entry(change: Change) -> dict[str, Any]:
    if change.declared is None:
        raise ValueError(f"{change.title} is declared nowhere")
    spec: RuleSpec = change.declared.spec
    entry = {
        "rule_expression": spec.expression,
        "severity": spec.severity,
        "description": spec.description.rstrip("\n"),
    }
    if change.action == "add":
        return {**entry, "name": spec.name, "state": spec.state}
    return {**entry, "rule_id": change.actual.id, "row_version": change.actual.row_version}


def _add(client: Client, pipeline_id: int, spec: RuleSpec) -> None:
    """Add a rule; one with tests comes into force after they are there, so that they are in its way if they fail."""
    begun: State = "draft" if spec.tests else spec.state
    description = spec.description.rstrip("\n")
    rule = client.add_rule(pipeline_id, spec.expression, spec.severity, description, name=spec.name, state=begun)
    rule_tests.write(client, rule.id, spec.tests or [], [])
    for state in _steps(begun, spec.state):
        client.set_rule_state(rule.id, state, comment="as its file says", if_version=rule.row_version)


def _work(change: Change, remote: Remote) -> list[Step]:
    """Return what changes or removes a rule, request by request."""
    if change.declared is None:
        return [_moved("archived", "no file declares it any more")]
    spec: RuleSpec = change.declared.spec
    names = {item.name for item in change.differences if not item.name.startswith(rule_tests.PREFIX)}

    def rewritten(client: Client, rule: models.Rule) -> models.Rule:
        description = spec.description.rstrip("\n")
        return client.change_rule(rule.id, spec.expression, spec.severity, description, if_version=rule.row_version)

    def retested(client: Client, rule: models.Rule) -> models.Rule:
        rule_tests.write(client, rule.id, spec.tests or [], remote.rule_tests(change.actual))
        return rule

    tests: list[Step] = [retested] if len(names) < len(change.differences) else []
    text: list[Step] = [rewritten] if names - {"state"} else []
    wanted = _steps(change.actual.state, spec.state) if "state" in names else []
    moves = [_moved(state, "as its file says") for state in wanted]
    # A text that need not be sound is written once the rule is out of force, others before it comes into force.
    return tests + (moves + text if spec.state in {"draft", "paused"} else text + moves)


def _moved(state: str, comment: str) -> Step:
    return lambda client, rule: client.set_rule_state(rule.id, state, comment=comment, if_version=rule.row_version)


def _steps(before: str, after: str) -> list[str]:
    """Return the states on the way: what counts for alerts is paused before it becomes a draft or goes into shadow."""
    if before == after:
        return []
    return ["paused", after] if before == "active" and after in {"draft", "shadow"} else [after]


def _text_of(rule: models.Rule) -> str:
    return (rule.short_form or rule.rule_expression).strip()


def _document(pipeline: str, rule: models.Rule, tests: Sequence[RuleTest]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": "rule",
        "pipeline": pipeline,
        "name": rule.name,
        "rule_expression": _text_of(rule),
    }
    if rule.short_form is None or not any(action.kind == "severity" for action in rule.actions):
        document["severity"] = rule.severity
    if rule.description.rstrip("\n"):
        document["description"] = rule.description.rstrip("\n")
    document["state"] = rule.state
    if tests:
        document["tests"] = rule_tests.documents(tests)
    return document
