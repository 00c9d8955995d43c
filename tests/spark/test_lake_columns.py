"""The columns that are told of a lake table are those that the archive writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.lake_table import lake_columns
from sentinel.settings import LakeSettings
from sentinel.stores.lake.query import run_query
from tests.support.lake import DirectoryLake

pytestmark = pytest.mark.spark

FIRST = {
    "id": "string",
    "count": "integer",
    "amount": "float",
    "is_new": "boolean",
    "at": "timestamp",
    "day": "date",
    "price": "decimal(10,2)",
    "tags": "array<string>",
    "items": "array<struct<sku: string, price: decimal(38,4)>>",
    "card": "struct<brand: string, last4: integer>",
}
SECOND = {**FIRST, "amount": "decimal(12,2)", "country": "string"}
EVENT = json.dumps({"id": "a", "items": [{"sku": "x", "price": "1.5"}], "card": {"brand": "v", "last4": 1}}).encode()


def schema(fields: dict[str, str]) -> EventSchema:
    return EventSchema.from_json([{"name": name, "type": kind, "nullable": True} for name, kind in fields.items()])


def test_names_and_types_agree(spark: SparkSession, tmp_path: Path) -> None:
    lake = DirectoryLake(spark, tmp_path / "tenant=acme" / "pipeline=1" / "events", schema(FIRST))
    lake.add([EVENT])
    lake.change_schema(schema(SECOND))
    lake.add([EVENT], generation=2)
    found = run_query(LakeSettings(uri=tmp_path.as_uri()), "acme", "DESCRIBE events_1", {"events_1": 1})
    # DuckDB quotes a name within a type only where it must.
    written = {row[0]: str(row[1]).replace('"', "") for row in found.rows}
    assert written == {column.name: column.type.replace('"', "") for column in lake_columns(lake.history)}
