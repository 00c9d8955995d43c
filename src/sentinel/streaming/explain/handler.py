"""Explain one rule for one event: the task of kind `explain`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame

from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.finding import DeadLetter
from sentinel.domain.lake_table import column_names
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.errors import ConflictError
from sentinel.rules.checker import check
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.explanation.report import explain_parts
from sentinel.rules.explanation.tree import rule_tree
from sentinel.rules.known import KnownNames
from sentinel.stores.postgres.archive_ledger import ArchiveLedger, GenerationForm
from sentinel.stores.postgres.explain_reader import ExplainReader
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.engine_task import TaskContext
from sentinel.streaming.explain.event import ParsingForm, RawRecord, archived_event, parsed_records
from sentinel.streaming.explain.find import EventFinder, FoundEvent
from sentinel.streaming.explain.surroundings import surroundings_of
from sentinel.streaming.explain.values import part_values
from sentinel.streaming.query.parse import event_id

MAX_EVENT_TEXT = 100_000
_SHOWN_EVENT = f"substring(to_json(event), 1, {MAX_EVENT_TEXT + 1}) AS _event"


@dataclass(frozen=True, slots=True)
class ChosenRule:
    """The rule that is explained.

    Attributes:
        rule_id: None for a text that is no rule yet.
        was_in_force: Whether it was for this event; None where no generation decided the event.
    """

    condition: str
    short_form: str | None
    rule_id: int | None = None
    version: int | None = None
    rule_version_id: int | None = None
    was_in_force: bool | None = None


def explain(context: TaskContext) -> dict[str, Any]:
    """Return why a rule is true, false or unknown for an event.

    The request has `rule` (an id) with or without `version`, or `rule_expression`; and `event` (an event id or
    partition:offset) or `event_base64` (the bytes of a record). Without a version the one explained is the one that
    decided the event, or the current one where none did; the same holds for the schema.

    Raises:
        NotFoundError: There is no such event, rule or version.
        InvalidError: The pipeline's event ids cannot be looked for.
        ConflictError: The rule does not fit the schema.
        StoreUnavailableError: A store does not answer.
    """
    settings, request = context.settings, context.request
    reader = ExplainReader(context.database, context.tenant_id, context.pipeline_id)
    snapshot = SnapshotStore(context.database, context.tenant_id).current(context.pipeline_id)
    history = reader.schemas()
    finder = EventFinder(
        settings.lake, settings.kafka, reader, snapshot, columns=column_names(history), check=context.check
    )
    if request.get("rule") is not None:
        reader.rule(request["rule"], request.get("version"))  # said before a search that may take long
    found = finder.find(request)
    context.check()
    ledger = ArchiveLedger(context.database, context.tenant_id, context.pipeline_id)
    form = None if found.generation_id is None else ledger.form(found.generation_id)
    surroundings = surroundings_of(context, reader, form)
    known = surroundings.known
    rule, notes = _choose_rule(reader, request, form, snapshot, known)
    schema_version, schema = _fitting_schema(rule, form, snapshot, known)
    if form is not None and schema_version != form.schema_version:
        notes.append(
            f"the rule does not fit schema version {form.schema_version}, which the event was parsed with; it is "
            f"explained with version {schema_version}"
        )
    columns = column_names([each for each in history if each[0] <= schema_version])
    parsing = ParsingForm(
        schema,
        form.config if form else snapshot.config,
        snapshot.kafka_topic,
        form.source_epoch if form else snapshot.source_epoch,
    )
    event = _event(context, found, parsing, columns)
    root = rule_tree(rule.condition, schema, known)
    computed = part_values(
        context.spark,
        surroundings.looked_up(event, root),
        root,
        (_SHOWN_EVENT, "event_id AS _id", "cause AS _c", "field AS _f", "detail AS _d"),
    )
    row = computed.row
    dead = dead_letter_of(found.record, row, parsing)
    if dead is None:
        explained = explain_parts(root, computed.values, computed.shown)
    else:
        explained = {"verdict": "dead_letter", "decided_by": [], "missing": [], "not_computable": [], "tree": None}
    known_id = None if found.source == "pasted" and schema.event_id is None else row["_id"]
    return {
        "pipeline_id": context.pipeline_id,
        "rule_id": rule.rule_id,
        "rule_expression": rule.condition,
        "short_form": rule.short_form,
        **explained,
        "dead_letter": dead,
        "event": None if dead else _shown_event(row["_event"]),
        "event_id": None if dead else known_id,
        "source": found.source,
        "partition": found.partition,
        "offset": found.offset,
        "rule_version": rule.version,
        "rule_version_id": rule.rule_version_id,
        "schema_version": schema_version,
        "generation_id": found.generation_id,
        "rule_set_version": form.rule_set_version if form else None,
        "was_in_force": rule.was_in_force,
        "alert_id": _alert_id(reader, rule, found, row["_id"]),
        "notes": notes,
    }


def _choose_rule(
    reader: ExplainReader,
    request: Any,
    form: GenerationForm | None,
    snapshot: PipelineSnapshot,
    known: KnownNames,
) -> tuple[ChosenRule, list[str]]:
    if request.get("rule") is None:
        checked = check_rule(request["rule_expression"], snapshot.schema, known)
        return ChosenRule(checked.rule_expression, checked.short_form), []
    rule_id, wanted, notes = request["rule"], request.get("version"), []
    in_force = None if form is None else reader.version_in_force(rule_id, form.rule_set_version)
    rule = reader.rule(rule_id, wanted if wanted is not None else in_force)
    if form is not None and in_force is None:
        notes.append(f"rule {rule_id} was not in force for this event; it is explained with version {rule.version}")
    elif in_force is not None and rule.version != in_force:
        notes.append(f"version {in_force} of rule {rule_id} decided this event; explained is version {rule.version}")
    chosen = ChosenRule(
        rule.rule_expression,
        rule.short_form,
        rule_id,
        rule.version,
        rule.rule_version_id,
        None if form is None else in_force == rule.version,
    )
    return chosen, notes


def _fitting_schema(
    rule: ChosenRule, form: GenerationForm | None, snapshot: PipelineSnapshot, known: KnownNames
) -> tuple[int, EventSchema]:
    if form is not None and check(rule.condition, form.schema, known).valid:
        return form.schema_version, form.schema
    checked = check(rule.condition, snapshot.schema, known)
    if not checked.valid:
        what = f"version {rule.version} of rule {rule.rule_id}" if rule.rule_id else "the rule"
        raise ConflictError(
            f"{what} does not fit schema version {snapshot.schema_version} of the pipeline: {checked.errors[0].message}"
        )
    return snapshot.schema_version, snapshot.schema


def _event(context: TaskContext, found: FoundEvent, form: ParsingForm, columns: dict[str, str]) -> DataFrame:
    """Return one row: event, event_id, cause, field, detail."""
    if found.row is not None:
        event = archived_event(context.spark, found.row, form.schema, columns)
        identity = event_id(event["event"], form.schema, form.topic, form.source_epoch)
        return event.select("*", identity.alias("event_id"))
    if found.record is None:
        raise ValueError("an event is a row of the lake or a record")
    return parsed_records(context.spark, [found.record], form)


def dead_letter_of(record: RawRecord | None, row: dict[str, Any], form: ParsingForm) -> dict[str, Any] | None:
    """Return why a record is no event, as the dead letter that it is or would be; None: it is one.

    Args:
        row: Cause, field and detail as parsing gave them: `_c`, `_f`, `_d`.
    """
    if row["_c"] is None:
        return None
    raw = record.value if record else None
    letter = DeadLetter(0, 0, 0, row["_c"], row["_f"], row["_d"] or "", raw, len(raw or b""))
    named = letter.named(form.schema, max_record_bytes=form.config.max_record_bytes)
    return {"cause": str(DeadLetterCause(named.cause)), "field": named.field, "detail": named.detail}


def _shown_event(text: str) -> Any:
    return json.loads(text) if len(text) <= MAX_EVENT_TEXT else f"{text[:MAX_EVENT_TEXT]}..."


def _alert_id(reader: ExplainReader, rule: ChosenRule, found: FoundEvent, identity: str | None) -> int | None:
    if rule.rule_id is None or found.source == "pasted" or identity is None:
        return None
    return reader.alert_id(rule.rule_id, identity)
