"""What a schema change adds and breaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.event_schema import EventSchema, Field, parse_type
from sentinel.domain.schema_change import compare

OLD = EventSchema(
    (
        Field("id", parse_type("string"), False, "event_id"),
        Field("amount", parse_type("float"), False),
        Field("country", parse_type("string")),
    )
)


def changed(name: str, field: Field | None) -> EventSchema:
    """Return the schema with one field replaced or removed."""
    fields = [field if known.name == name else known for known in OLD]
    return EventSchema(tuple(known for known in fields if known is not None))


def test_the_same_is_empty_in_any_order() -> None:
    assert compare(OLD, OLD).is_empty
    assert compare(OLD, EventSchema(tuple(reversed(OLD.fields)))).is_empty


@pytest.mark.parametrize("role", [None, "entity"])
def test_a_new_nullable_field_breaks_nothing(role: str | None) -> None:
    change = compare(OLD, EventSchema((*OLD.fields, Field("channel", parse_type("string"), True, role))))
    assert ([field.name for field in change.added], change.breaking) == (["channel"], ())


@pytest.mark.parametrize(
    ("new", "kinds"),
    [
        (changed("country", None), ["removed"]),
        (changed("amount", Field("amount", parse_type("string"), False)), ["retyped"]),
        (changed("amount", Field("amount", parse_type("float"), True)), ["optional"]),
        (changed("country", Field("country", parse_type("string"), False)), ["required"]),
        (changed("country", Field("country", parse_type("string"), True, "entity")), ["role"]),
        (changed("id", Field("id", parse_type("integer"), False)), ["retyped", "role"]),
        (changed("country", Field("Country", parse_type("string"))), ["removed"]),
        (EventSchema((*OLD.fields, Field("must", parse_type("string"), False))), ["added_required"]),
        (EventSchema((*OLD.fields, Field("at", parse_type("timestamp"), True, "event_time"))), ["role"]),
    ],
)
def test_anything_else_breaks_something(new: EventSchema, kinds: list[str]) -> None:
    found = compare(OLD, new).breaking
    assert [item.kind for item in found] == kinds
    assert all(item.effect for item in found)


KINDS = st.sampled_from(["string", "integer", "float", "timestamp", "array<string>"]).map(parse_type)
FIELDS = st.builds(Field, st.sampled_from("abcdef"), KINDS, st.booleans(), st.sampled_from([None, "entity"]))
SCHEMAS = st.lists(FIELDS, max_size=6, unique_by=lambda field: field.name).map(
    lambda fields: EventSchema(tuple(fields))
)


@given(SCHEMAS, SCHEMAS)
def test_a_change_that_breaks_nothing_keeps_every_field_as_it_was(old: EventSchema, new: EventSchema) -> None:
    change = compare(old, new)
    if not change.breaking:
        assert set(old.fields) <= set(new.fields)
        assert all(field.nullable for field in set(new.fields) - set(old.fields))
    assert change.is_empty == (set(old.fields) == set(new.fields))
