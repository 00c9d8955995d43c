"""Pipelines with their schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, create_model

from sentinel.client import models
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.schema_change import compare
from sentinel.domain.schema_definition import FieldDefinition, read_schema
from sentinel.errors import BreakingChangeError, ErrorDetail
from sentinel.files.kinds.base import (
    Change,
    Comparison,
    Declarations,
    Declared,
    Difference,
    Kind,
    Spec,
    Written,
    differing,
)
from sentinel.files.remote import Remote


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError(f"the name {name!r} holds characters that cannot be printed")
    return name


PipelineName = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^\S(.*\S)?$"), AfterValidator(_printable)
]


class FieldSpec(Spec):
    """One field of the schema."""

    name: str
    type: str
    nullable: bool | None = None
    role: Literal["event_id", "event_time", "entity"] | None = None


# Every setting that the API has, each of its type; one that is left out stays as it is.
_SETTINGS: dict[str, Any] = {
    name: (field.annotation, None) for name, field in models.PipelineConfig.model_fields.items()
}
_SETTINGS["mode"] = (Literal["realtime", "microbatch"], None)
ConfigSpec: type[Spec] = create_model("ConfigSpec", __base__=Spec, **_SETTINGS)


class PipelineSpec(Spec):
    """A pipeline in a file."""

    kind: Literal["pipeline"]
    name: PipelineName
    kafka_topic: str
    start_at: Literal["earliest", "latest"] = "earliest"
    status: Literal["active", "paused", "stopped"] = "active"
    config: Annotated[Spec, BeforeValidator(ConfigSpec.model_validate)] = ConfigSpec()
    fields: list[FieldSpec] = Field(alias="schema")


class PipelineKind(Kind):
    """Pipelines. One that no file declares is left alone: files may be about a part of a tenant."""

    name: ClassVar[str] = "pipeline"
    model: ClassVar[type[Spec]] = PipelineSpec

    def key(self, spec: PipelineSpec) -> tuple[str, ...]:
        """Return its name."""
        return (spec.name,)

    def compare(self, declared: Declarations, remote: Remote, *, prune: bool) -> Comparison:
        """Compare settings, status and schema."""
        found = Comparison()
        for key, item in declared.get(self.name, {}).items():
            schema = schema_of(item, found.problems)
            if schema is None:
                continue
            actual = remote.pipelines.get(key[0])
            if actual is None:
                found.changes.append(_addition(item, schema))
                continue
            found.problems += _fixed(item, actual)
            change = _change(item, schema, actual, remote)
            if change:
                found.changes.append(change)
        found.extra = [(name,) for name in remote.pipelines if (name,) not in declared.get(self.name, {})]
        return found

    def apply(self, change: Change, remote: Remote) -> None:
        """Create a pipeline, or change schema, settings and status, in that order."""
        if change.declared is None:
            return
        spec: PipelineSpec = change.declared.spec
        client = remote.client
        fields = [field.model_dump(exclude_none=True) for field in spec.fields]
        config = spec.config.model_dump(exclude_none=True)
        if change.action == "add":
            client.create_pipeline(
                spec.name, spec.kafka_topic, fields, config=config, start_at=spec.start_at, status=spec.status
            )
            return
        actual: models.Pipeline = change.actual
        names = {difference.name.partition(".")[0] for difference in change.differences}
        if "schema" in names:
            _put_schema(remote, actual, fields, allowed=change.breaking)
        if "config" in names:
            version = client.get_pipeline(actual.id).version if "schema" in names else actual.version
            client.set_pipeline_config(actual.id, if_version=version, **config)
        if "status" in names:
            version = client.get_pipeline(actual.id).version if names != {"status"} else actual.version
            client.set_pipeline_status(actual.id, spec.status, if_version=version)

    def written(self, remote: Remote, slugs: Mapping[str, str], wanted: Sequence[str]) -> list[Written]:
        """Return a document per pipeline."""
        return [
            Written(f"{slugs[name]}/pipeline.yaml", _document(remote.pipelines[name], remote.schema(pipeline)))
            for name in wanted
            for pipeline in (remote.pipelines[name],)
        ]


def schema_of(item: Declared, problems: list[ErrorDetail]) -> EventSchema | None:
    """Return the declared schema of a pipeline; None where it cannot work, which is added to the problems."""
    spec: PipelineSpec = item.spec
    schema, wrong = read_schema(
        [
            FieldDefinition(field.name, field.type, field.nullable, frozenset({field.role} if field.role else ()))
            for field in spec.fields
        ],
        pointer="schema",
    )
    for problem in wrong:
        place = tuple(int(part) if part.isdigit() else part for part in problem.pointer.split("/"))
        problems.append(ErrorDetail(item.document.where(place), problem.detail))
    return None if wrong else schema


def same_schema(schema: EventSchema, actual: models.Schema) -> bool:
    """Whether both have the same fields; their order means nothing."""
    return compare(_current(actual), schema).is_empty


def _current(actual: models.Schema) -> EventSchema:
    return EventSchema.from_json([field.model_dump(exclude_none=True) for field in actual.fields])


def _addition(item: Declared, schema: EventSchema) -> Change:
    spec: PipelineSpec = item.spec
    values = {
        "kafka_topic": spec.kafka_topic,
        "start_at": spec.start_at,
        "status": spec.status,
        **{f"config.{name}": value for name, value in spec.config.model_dump(exclude_none=True).items()},
        **{f"schema.{field.name}": _said(field.as_json()) for field in schema},
    }
    differences = tuple(Difference(name, None, value) for name, value in values.items())
    return Change("add", PipelineKind.name, item.key, differences, item.where, declared=item)


def _change(item: Declared, schema: EventSchema, actual: models.Pipeline, remote: Remote) -> Change | None:
    spec: PipelineSpec = item.spec
    config = actual.config.model_dump()
    differences = differing(
        {
            "status": (actual.status, spec.status),
            **{
                f"config.{name}": (config[name], value)
                for name, value in spec.config.model_dump(exclude_none=True).items()
            },
        }
    )
    current = _current(remote.schema(actual))
    before = {field.name: _said(field.as_json()) for field in current}
    after = {field.name: _said(field.as_json()) for field in schema}
    names = [*before, *(name for name in after if name not in before)]
    differences += differing({f"schema.{name}": (before.get(name), after.get(name)) for name in names})
    if not differences:
        return None
    harm = compare(current, schema).breaking
    notes = tuple(f"breaking: field {change.field} {change.kind}: {change.effect}" for change in harm)
    return Change(
        "change",
        PipelineKind.name,
        item.key,
        differences,
        item.where,
        notes=notes,
        breaking=bool(harm),
        declared=item,
        actual=actual,
    )


def _fixed(item: Declared, actual: models.Pipeline) -> list[ErrorDetail]:
    """Return what differs and cannot be changed."""
    spec: PipelineSpec = item.spec
    return [
        ErrorDetail(
            item.document.where((name,)),
            f"{name} of pipeline {spec.name!r} is {before!r} and cannot become {after!r}; "
            "make a pipeline of another name",
        )
        for name, before, after in (
            ("kafka_topic", actual.kafka_topic, spec.kafka_topic),
            ("start_at", actual.start_at, spec.start_at),
        )
        if before != after
    ]


def _put_schema(remote: Remote, actual: models.Pipeline, fields: list[dict[str, Any]], *, allowed: bool) -> None:
    version = remote.schema(actual).version
    try:
        remote.client.put_schema(actual.id, fields, if_version=version)
    except BreakingChangeError as error:
        # The plan has shown it, and who applies it has allowed it; the token confirms the API's own view of it.
        if not allowed:
            raise
        remote.client.put_schema(actual.id, fields, if_version=version, confirm=str(error.plan["confirm"]))


def _said(field: dict[str, Any]) -> str:
    said = str(field["type"])
    if not field.get("nullable", True):
        said += ", not null"
    return f"{said}, {field['role']}" if field.get("role") else said


def _document(pipeline: models.Pipeline, schema: models.Schema) -> dict[str, Any]:
    return {
        "kind": "pipeline",
        "name": pipeline.name,
        "kafka_topic": pipeline.kafka_topic,
        "start_at": pipeline.start_at,
        "status": pipeline.status,
        "config": pipeline.config.model_dump(),
        "schema": [field.model_dump(exclude_none=True) for field in schema.fields],
    }
