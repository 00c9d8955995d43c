"""Columns of lake tables follow from the history of a schema."""

from __future__ import annotations

import pytest

from sentinel.domain.event_schema import EventSchema, FieldType
from sentinel.domain.lake_table import META_COLUMN_TYPES, column_names, lake_columns, query_type


def schema(**fields: str) -> EventSchema:
    """Return a schema with these fields: name -> type."""
    return EventSchema.from_json([{"name": name, "type": kind, "nullable": True} for name, kind in fields.items()])


def type_of(text: str) -> FieldType:
    return schema(x=text).fields[0].type


HISTORY = [
    (1, schema(id="string", amount="float")),
    (2, schema(id="string", amount="decimal(10,2)", Country="string")),
    (3, schema(id="string", amount="float", country="string")),
]


class TestColumns:
    def test_a_field_under_another_type_is_another_column(self) -> None:
        assert column_names(HISTORY[:2]) == {"id": "id", "amount": "amount__v2", "Country": "Country"}

    def test_a_type_that_comes_back_comes_back_to_its_column(self) -> None:
        assert column_names(HISTORY) == {"id": "id", "amount": "amount", "country": "Country"}

    def test_a_table_has_those_of_all_versions_then_those_of_every_table(self) -> None:
        found = {column.name: column.type for column in lake_columns(HISTORY)}
        assert found == {
            "id": "VARCHAR",
            "amount": "DOUBLE",
            "amount__v2": "DECIMAL(10,2)",
            "Country": "VARCHAR",
            **META_COLUMN_TYPES,
        }

    def test_without_a_schema_there_are_those_of_every_table(self) -> None:
        assert [column.name for column in lake_columns([])] == list(META_COLUMN_TYPES)


class TestTypes:
    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("integer", "BIGINT"),
            ("timestamp", "TIMESTAMP WITH TIME ZONE"),
            ("decimal(38,0)", "DECIMAL(38,0)"),
            ("array<array<date>>", "DATE[][]"),
            ("struct<a: boolean, select: array<float>>", 'STRUCT("a" BOOLEAN, "select" DOUBLE[])'),
        ],
    )
    def test_as_a_query_names_them(self, kind: str, said: str) -> None:
        assert query_type(type_of(kind)) == said
