"""Use cases on the past: test rules on it, label it, fill gaps in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sentinel.catalog.engine_tasks import EngineTaskCatalog
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.rules import RuleCatalog, no_pipeline
from sentinel.domain.backtest import (
    DEFAULT_SAMPLES,
    MAX_RULES,
    BacktestRequest,
    BacktestRule,
    Sweep,
    check_label_column,
    condition_hash,
)
from sentinel.domain.engine_task import EngineTask, TaskKind, TaskState
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.history import Clock, read_range
from sentinel.domain.labels import MAX_LABEL_BYTES, MAX_LABEL_SETS, LabelSet, read_labels
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.refill import DEFAULT_MAX_ALERTS, RefillRequest
from sentinel.domain.rule import Rule
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, InvalidRuleError, NotFoundError
from sentinel.rules.checker import CheckResult, check
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.known import KnownNames
from sentinel.rules.sweep import MAX_VALUES, replace_number
from sentinel.stores.base import PipelineReader, SchemaStore
from sentinel.stores.beside_rules import LabelStore

_LOOK_BACK = 200


@dataclass(frozen=True, slots=True)
class AskedRule:
    """A rule as somebody names it: a saved one, or an expression.

    Attributes:
        version: Of the saved one; None: the current one.
        expression: A condition in Spark SQL or a rule in the short form.
        name: What to call it; empty: after itself.
    """

    rule_id: int | None = None
    version: int | None = None
    expression: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class AskedSweep:
    """A number to replace in the rule of that index; `position` where it is written more than once."""

    rule: int
    constant: str
    values: tuple[Decimal, ...]
    position: int | None = None


class BacktestCatalog:
    """The past of one tenant's pipelines."""

    def __init__(
        self,
        *,
        pipelines: PipelineReader,
        schemas: SchemaStore,
        rules: RuleCatalog,
        publisher: Publisher,
        labels: LabelStore,
        tasks: EngineTaskCatalog,
        caller: str,
    ) -> None:
        self._pipelines = pipelines
        self._schemas = schemas
        self._rules = rules
        self._publisher = publisher
        self._labels = labels
        self._tasks = tasks
        self._caller = caller

    # -- backtests

    def submit(
        self,
        pipeline_id: int,
        rules: Sequence[AskedRule],
        start: datetime,
        end: datetime,
        *,
        clock: Clock = Clock.EVENT_TIME,
        label_column: str | None = None,
        label_set_id: int | None = None,
        sweep: AskedSweep | None = None,
        against_active: bool = True,
        samples: int = DEFAULT_SAMPLES,
    ) -> EngineTask:
        """Have rules tested on a pipeline's past. Everything that can be told to be wrong is refused at once.

        Raises:
            NotFoundError: There is no such pipeline, rule, version or label set.
            InvalidRuleError: A rule has errors; the message names it, and all of its issues are listed.
            InvalidError: The range, the label column or the sweep cannot be used.
            RateLimitedError: Too many of the tenant's tasks wait.
        """
        schema = self._schema_of(pipeline_id)
        wanted = read_range(start, end, clock)
        if not 1 <= len(rules) <= MAX_RULES:
            raise InvalidError(f"a backtest is of 1 to {MAX_RULES} rules, not of {len(rules)}")
        found = tuple(self._rule(pipeline_id, schema, asked, index) for index, asked in enumerate(rules))
        if label_column is not None and label_set_id is not None:
            message = "the labels come from a column or from an upload, not from both"
            raise InvalidError(message, details=[ErrorDetail("/label_set_id", message)])
        if label_column is not None:
            check_label_column(schema, label_column)
        if label_set_id is not None and label_set_id not in {known.id for known in self._labels.list(pipeline_id)}:
            raise NotFoundError(f"pipeline {pipeline_id} has no label set {label_set_id}")
        request = BacktestRequest(
            rules=found,
            range=wanted,
            label_column=label_column,
            label_set_id=label_set_id,
            sweep=_sweep(schema, found, sweep, self._publisher.known_names(pipeline_id)) if sweep else None,
            against_active=against_active,
            samples=samples,
        )
        return self._tasks.submit(pipeline_id, TaskKind.BACKTEST, request.as_json())

    def get(self, task_id: int, kind: TaskKind = TaskKind.BACKTEST) -> EngineTask:
        """Return a backtest (or a refill).

        Raises:
            NotFoundError: There is none of that number (any more).
        """
        task = self._tasks.get(task_id)
        if task.kind is not kind:
            raise NotFoundError(f"there is no {kind} {task_id}")
        return task

    def list(
        self, pipeline_id: int, kind: TaskKind = TaskKind.BACKTEST, *, before: int | None = None, limit: int = 50
    ) -> Sequence[EngineTask]:
        """Return the backtests (or refills) of a pipeline, newest first.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        self._schema_of(pipeline_id)
        return self._tasks.list(pipeline_id=pipeline_id, kind=kind, before=before, limit=limit)

    def cancel(self, task_id: int, kind: TaskKind = TaskKind.BACKTEST) -> EngineTask:
        """End a backtest (or a refill).

        Raises:
            NotFoundError: There is none of that number.
            ConflictError: It is finished.
        """
        self.get(task_id, kind)
        return self._tasks.cancel(task_id)

    # -- refills

    def refill(
        self,
        pipeline_id: int,
        start: datetime,
        end: datetime,
        *,
        clock: Clock = Clock.EVENT_TIME,
        rule_id: int | None = None,
        max_alerts: int = DEFAULT_MAX_ALERTS,
    ) -> EngineTask:
        """Have the alerts made that a rule of today, or all active ones, would have raised in the past.

        Raises:
            NotFoundError: There is no such pipeline or rule.
            InvalidError: The range cannot be used.
            ConflictError: The rule no longer fits the schema, or there is no active rule.
            RateLimitedError: Too many of the tenant's tasks wait.
        """
        schema = self._schema_of(pipeline_id)
        wanted = read_range(start, end, clock)
        if rule_id is None:
            chosen = [rule for rule in self._rules.list(pipeline_id) if rule.is_active]
        else:
            chosen = [self._own_rule(pipeline_id, rule_id)]
        if not chosen:
            raise ConflictError(f"pipeline {pipeline_id} has no active rule; name the rule that is to be refilled")
        for rule in chosen:
            known = self._publisher.known_names(pipeline_id, rule.current.condition, rule.name)
            if not check(rule.current.condition, schema, known).valid:
                raise ConflictError(f"rule {rule.id} does not fit today's schema; change its expression first")
        versions = tuple(rule.current.rule_version_id for rule in chosen)
        request = RefillRequest(versions, wanted, max_alerts)
        return self._tasks.submit(pipeline_id, TaskKind.REFILL, request.as_json())

    # -- labels

    def add_labels(
        self,
        pipeline_id: int,
        name: str,
        content: bytes,
        *,
        id_column: str | None = None,
        label_column: str | None = None,
    ) -> LabelSet:
        """Keep labels that were uploaded as CSV.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidError: They cannot be read; nothing was kept.
            ConflictError: There are as many label sets as there may be.
        """
        self._schema_of(pipeline_id)
        if len(self._labels.list(pipeline_id)) >= MAX_LABEL_SETS:
            raise ConflictError(
                f"pipeline {pipeline_id} has {MAX_LABEL_SETS} label sets, as many as it may; delete one"
            )
        if len(content) > MAX_LABEL_BYTES:
            raise InvalidError(f"the labels have {len(content):,} bytes; {MAX_LABEL_BYTES:,} are allowed")
        labels = read_labels(content, id_column=id_column, label_column=label_column)
        return self._labels.add(pipeline_id, name, labels, created_by=self._caller)

    def list_labels(self, pipeline_id: int) -> Sequence[LabelSet]:
        """Return the label sets of a pipeline, newest first.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        self._schema_of(pipeline_id)
        return self._labels.list(pipeline_id)

    def delete_labels(self, label_set_id: int) -> None:
        """Forget labels. Backtests that used them keep their results.

        Raises:
            NotFoundError: There are no such labels.
        """
        if not self._labels.delete(label_set_id):
            raise NotFoundError(f"there is no label set {label_set_id}")

    # --

    def _schema_of(self, pipeline_id: int) -> EventSchema:
        pipeline = self._pipelines.get(pipeline_id)
        if pipeline is None:
            raise no_pipeline(pipeline_id)
        version = self._schemas.get(pipeline_id, pipeline.schema_version)
        if version is None:
            raise NotFoundError(f"pipeline {pipeline_id} has no schema version {pipeline.schema_version}")
        return version.schema

    def _own_rule(self, pipeline_id: int, rule_id: int) -> Rule:
        rule = self._rules.get(rule_id)
        if rule.pipeline_id != pipeline_id:
            raise NotFoundError(f"pipeline {pipeline_id} has no rule {rule_id}")
        return rule

    def _rule(self, pipeline_id: int, schema: EventSchema, asked: AskedRule, index: int) -> BacktestRule:
        if asked.expression is not None:
            known = self._publisher.known_names(pipeline_id, asked.expression)
            checked = check_rule(asked.expression, schema, known)
            name = asked.name or asked.expression[:100]
            if not checked.result.valid:
                raise _invalid(name, index, checked.result)
            return BacktestRule(name, checked.rule_expression)
        if asked.rule_id is None:
            raise InvalidError("a rule is named by its id or by an expression")
        rule = self._own_rule(pipeline_id, asked.rule_id)
        version = asked.version or rule.current.version
        entry = next((one for one in self._rules.history(rule.id) if one.version.version == version), None)
        if entry is None:
            raise NotFoundError(f"rule {rule.id} has no version {version}; its newest is {rule.current.version}")
        saved = entry.version
        name = asked.name or f"rule {rule.id} version {version}"
        result = check(saved.condition, schema, self._publisher.known_names(pipeline_id, saved.condition, rule.name))
        if not result.valid:
            raise _invalid(name, index, result)
        return BacktestRule(name, saved.condition, rule.id, version, saved.rule_version_id, entry.content_hash)


def fresh_backtest(
    tasks: EngineTaskCatalog, pipeline: Pipeline, condition: str, *, now: datetime, max_age: timedelta
) -> EngineTask | None:
    """Return the newest finished backtest of exactly this condition, under the schema of today, that is young enough.

    Description and severity do not count: they change nothing of what matches.
    """
    wanted = condition_hash(condition)
    for task in tasks.list(pipeline_id=pipeline.id, kind=TaskKind.BACKTEST, limit=_LOOK_BACK):
        if task.state is not TaskState.DONE or task.finished_at is None or task.result is None:
            continue
        same_schema = task.result["schema_version"] == pipeline.schema_version
        tested = {rule["condition_hash"] for rule in task.request["rules"]}
        if same_schema and now - task.finished_at <= max_age and wanted in tested:
            return task
    return None


def demand_backtest(tasks: EngineTaskCatalog, pipeline: Pipeline, condition: str, *, now: datetime) -> None:
    """Refuse a condition that is about to go into force where its pipeline demands a backtest that there is not.

    Raises:
        ConflictError: The pipeline demands one, and there is none that is young enough.
    """
    hours = pipeline.config.fresh_backtest_hours
    if hours and fresh_backtest(tasks, pipeline, condition, now=now, max_age=timedelta(hours=hours)) is None:
        raise ConflictError(
            f"pipeline {pipeline.id} demands a backtest of exactly this condition, at most {hours} h old and under "
            f"schema version {pipeline.schema_version}; start one by POST /api/pipelines/{pipeline.id}/backtests, and "
            "write the rule when it is done"
        )


def _invalid(name: str, index: int, result: CheckResult) -> InvalidRuleError:
    count = f"{len(result.errors)} error{'s' if len(result.errors) != 1 else ''}"
    issues = [{**issue.as_json(), "pointer": f"/rules/{index}"} for issue in result.issues]
    return InvalidRuleError(f"the rule {name!r} has {count}: {result.errors[0].message}", issues=issues)


def _sweep(schema: EventSchema, rules: Sequence[BacktestRule], asked: AskedSweep, known: KnownNames) -> Sweep:
    if not 0 <= asked.rule < len(rules):
        message = f"there is no rule of index {asked.rule}; the first one has index 0"
        raise InvalidError(message, details=[ErrorDetail("/sweep/rule", message)])
    if not 1 <= len(asked.values) <= MAX_VALUES:
        message = f"a sweep has 1 to {MAX_VALUES} values, not {len(asked.values)}"
        raise InvalidError(message, details=[ErrorDetail("/sweep/values", message)])
    conditions = replace_number(rules[asked.rule].condition, asked.constant, asked.values, position=asked.position)
    for index, (value, condition) in enumerate(zip(asked.values, conditions, strict=True)):
        result = check(condition, schema, known)
        if not result.valid:
            message = f"with {value:f} instead of {asked.constant} the rule is not valid: {result.errors[0].message}"
            raise InvalidError(message, details=[ErrorDetail(f"/sweep/values/{index}", message)])
    return Sweep(asked.rule, asked.constant, asked.values, tuple(conditions))
