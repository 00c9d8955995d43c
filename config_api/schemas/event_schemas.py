"""Event schemas, as they are sent and answered."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue, StrictBool

from config_api.schemas.base import AnswerModel, RequestModel, Text, Timestamp
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.schema_definition import FieldDefinition
from sentinel.stores.base import SchemaVersion

Role = Literal["event_id", "event_time", "entity"]

EXAMPLE_FIELDS: list[JsonValue] = [
    {"name": "transaction_id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "user_id", "type": "string", "nullable": False, "role": "entity"},
    {"name": "amount", "type": "float", "nullable": False},
    {"name": "country", "type": "string", "nullable": True},
    {"name": "created", "type": "timestamp", "nullable": False, "role": "event_time"},
]


class SchemaField(RequestModel):
    """One field. Mark its role by `role` or by one of the booleans."""

    name: Text = Field(description="ASCII letters, digits, underscores; at most 128 characters.", examples=["amount"])
    type: Text = Field(
        description="string, integer, float, boolean, timestamp, date, decimal(p,s), array<...>, struct<name: type>",
        examples=["float", "array<string>"],
    )
    nullable: StrictBool | None = Field(
        default=None, description="Whether an event without it is valid. Default: true, for the event id false."
    )
    role: Role | None = Field(default=None, description="What the engine uses it for.")
    event_id: StrictBool = Field(default=False, description="It identifies an event. One field at most.")
    event_time: StrictBool = Field(default=False, description="The producer's clock. One timestamp field at most.")
    entity: StrictBool = Field(default=False, description="Scores are kept about it.")

    def definition(self) -> FieldDefinition:
        """Return the field as the domain takes it."""
        marked = {name for name in ("event_id", "event_time", "entity") if getattr(self, name)}
        roles = frozenset(marked | ({self.role} if self.role else set()))
        return FieldDefinition(self.name, self.type, self.nullable, roles)


class SchemaPutRequest(RequestModel):
    """A whole schema. What `GET` answers, changed, may be sent back: its other members are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_extra={"examples": [{"schema": EXAMPLE_FIELDS}]})

    fields: list[SchemaField] = Field(alias="schema")
    confirm: Text | None = Field(default=None, description="The token of a breaking change's plan.")


class FieldAnswer(AnswerModel):
    """One field."""

    name: str
    type: str
    nullable: bool
    role: Role | None = None


class SchemaAnswer(AnswerModel):
    """One schema version."""

    pipeline_id: int
    version: int
    fields: list[FieldAnswer] = Field(alias="schema")
    created_at: Timestamp
    created_by: str = ""

    @classmethod
    def of(cls, stored: SchemaVersion) -> SchemaAnswer:
        """Build the answer."""
        return cls(
            pipeline_id=stored.pipeline_id,
            version=stored.version,
            fields=field_answers(stored.schema),
            created_at=stored.created_at,
            created_by=stored.created_by,
        )


class SchemaPutAnswer(SchemaAnswer):
    """The schema after a change."""

    changed: bool = Field(description="False when it was this schema already.")
    deactivated_rules: list[int] = Field(description="Rules that no longer fit and were switched off.")
    message: str


def field_answers(schema: EventSchema) -> list[FieldAnswer]:
    """Return a schema's fields as answers."""
    return [FieldAnswer.model_validate(field) for field in schema.as_json()]
