"""Reads the definition of a schema as a tenant sends it, and says everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sentinel.domain.event_schema import (
    FIELD_NAME,
    MAX_FIELDS,
    RESERVED_FIELDS,
    ArrayType,
    EventSchema,
    Field,
    FieldType,
    StructType,
    parse_type,
)
from sentinel.errors import ErrorDetail

MAX_NAME_LENGTH = 128
_ID_TYPES = frozenset({"string", "integer"})


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """One field as it was sent.

    Attributes:
        nullable: None where it was left out: True, but False for the event id.
        roles: What the field is marked as; more than one is a mistake.
    """

    name: str
    type: str
    nullable: bool | None = None
    roles: frozenset[str] = frozenset()


def read_schema(
    definitions: Sequence[FieldDefinition], pointer: str = "/schema"
) -> tuple[EventSchema, list[ErrorDetail]]:
    """Return the schema and every problem with it. The schema is only meaningful when there are none.

    Args:
        definitions: The fields, in order.
        pointer: JSON pointer of the list in the request.
    """
    problems: list[ErrorDetail] = []
    if not definitions:
        problems.append(ErrorDetail(pointer, "a schema needs at least one field"))
    if len(definitions) > MAX_FIELDS:
        problems.append(
            ErrorDetail(pointer, f"{len(definitions)} fields are too many; at most {MAX_FIELDS} are allowed")
        )
    fields: list[Field] = []
    first_place: dict[str, int] = {}
    for index, definition in enumerate(definitions):
        at = f"{pointer}/{index}"
        problems += [ErrorDetail(f"{at}/name", text) for text in _name_problems(definition.name)]
        earlier = first_place.setdefault(definition.name.lower(), index)
        if earlier != index:
            problems.append(
                ErrorDetail(
                    f"{at}/name",
                    f"{definition.name!r} is there already as field {earlier} "
                    f"({definitions[earlier].name!r}); names must differ by more than case",
                )
            )
        try:
            kind = parse_type(definition.type)
        except ValueError as error:
            problems.append(ErrorDetail(f"{at}/type", str(error)))
            continue
        problems += [ErrorDetail(f"{at}/{key}", text) for key, text in _role_problems(definition, kind)]
        role = next(iter(sorted(definition.roles)), None)
        nullable = role != "event_id" if definition.nullable is None else definition.nullable
        fields.append(Field(definition.name, kind, nullable, role))
    for role in ("event_id", "event_time"):
        marked = [index for index, definition in enumerate(definitions) if role in definition.roles]
        problems += [
            ErrorDetail(f"{pointer}/{index}", f"only one field can be the {role}; field {marked[0]} is already")
            for index in marked[1:]
        ]
    return EventSchema(tuple(fields)), problems


def _name_problems(name: str) -> Iterator[str]:
    if len(name) > MAX_NAME_LENGTH:
        yield f"the name has {len(name)} characters; at most {MAX_NAME_LENGTH} are allowed"
    elif name.startswith("_"):
        yield f"{name!r} begins with an underscore; such names belong to the engine's own columns"
    elif not FIELD_NAME.fullmatch(name):
        yield f"{name!r} is not a field name: ASCII letters, digits and underscores, beginning with a letter"
    elif name.lower() in RESERVED_FIELDS:
        reserved = ", ".join(sorted(RESERVED_FIELDS))
        yield f"{name!r} is reserved (as are {reserved}); use another name, e.g. 'tx_{name}'"


def _role_problems(definition: FieldDefinition, kind: FieldType) -> Iterator[tuple[str, str]]:
    if len(definition.roles) > 1:
        yield "role", f"a field has one role at most, not {' and '.join(sorted(definition.roles))}"
    if "event_time" in definition.roles and str(kind) != "timestamp":
        yield "type", f"the event time must be a timestamp, not {kind}"
    if "event_id" in definition.roles:
        if str(kind) not in _ID_TYPES:
            yield "type", f"the event id must be a string or an integer, not {kind}"
        if definition.nullable:
            yield (
                "nullable",
                "the event id cannot be nullable: an event without it could not be told from others",
            )
    if "entity" in definition.roles and isinstance(kind, ArrayType | StructType):
        yield "type", f"an entity must be a single value, not {kind}"
