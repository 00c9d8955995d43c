"""Schema definitions as tenants send them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.event_schema import RESERVED_FIELDS, EventSchema
from sentinel.domain.schema_definition import FieldDefinition, read_schema


def problems_of(*definitions: FieldDefinition) -> dict[str, str]:
    """Return what is wrong, by pointer."""
    return {item.pointer: item.detail for item in read_schema(definitions)[1]}


def test_a_good_schema_has_no_problems() -> None:
    schema, problems = read_schema(
        [
            FieldDefinition("id", "string", None, frozenset({"event_id"})),
            FieldDefinition("at", "datetime", True, frozenset({"event_time"})),
            FieldDefinition("price", "decimal(10,2)"),
            FieldDefinition("tags", "array<string>", False),
        ]
    )
    assert problems == []
    assert schema.as_json() == [
        {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
        {"name": "at", "type": "timestamp", "nullable": True, "role": "event_time"},
        {"name": "price", "type": "decimal(10,2)", "nullable": True},
        {"name": "tags", "type": "array<string>", "nullable": False},
    ]


@pytest.mark.parametrize("name", ["", "_x", "9a", "a-b", "a b", "ä", "a.b", "n" * 129, *sorted(RESERVED_FIELDS)])
def test_names_that_cannot_be(name: str) -> None:
    assert set(problems_of(FieldDefinition(name, "string"))) == {"/schema/0/name"}


def test_a_name_of_128_characters_can_be() -> None:
    assert problems_of(FieldDefinition("n" * 128, "string")) == {}


def test_names_differ_by_more_than_case() -> None:
    found = problems_of(FieldDefinition("amount", "float"), FieldDefinition("Amount", "float"))
    assert found == {
        "/schema/1/name": "'Amount' is there already as field 0 ('amount'); names must differ by more than case"
    }


def test_two_roles_are_one_too_many() -> None:
    found = problems_of(FieldDefinition("a", "timestamp", False, frozenset({"event_time", "entity"})))
    assert found == {"/schema/0/role": "a field has one role at most, not entity and event_time"}


@pytest.mark.parametrize(
    ("role", "kind"),
    [("event_id", "float"), ("event_id", "array<string>"), ("event_time", "date"), ("entity", "struct<a: string>")],
)
def test_a_role_needs_a_fitting_type(role: str, kind: str) -> None:
    assert set(problems_of(FieldDefinition("a", kind, False, frozenset({role})))) == {"/schema/0/type"}


def test_several_entities_may_be() -> None:
    entity = frozenset({"entity"})
    assert (
        problems_of(FieldDefinition("a", "string", None, entity), FieldDefinition("b", "integer", None, entity)) == {}
    )


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20), st.none() | st.booleans()), max_size=8))
def test_whatever_is_sent_gets_an_answer(fields: list[tuple[str, str, bool | None]]) -> None:
    schema, problems = read_schema([FieldDefinition(*field) for field in fields])
    if not problems:
        assert EventSchema.from_json(schema.as_json()) == schema
    for problem in problems:
        assert problem.pointer.startswith("/schema")
        assert problem.detail
