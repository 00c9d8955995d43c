"""The Delta table of a pipeline's events: how rows come in. Its columns are those of `domain.lake_table`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema


@dataclass(frozen=True, slots=True)
class TableTransaction:
    """The number under which a write is made; Delta ignores one that is not above the last of the same application."""

    application_id: str
    version: int


def lake_rows(
    parsed: DataFrame,
    columns: Mapping[str, str],
    schema: EventSchema,
    *,
    topic: str,
    schema_version: int,
    generation_id: int,
) -> DataFrame:
    """Turn parsed records into rows of the table; dead letters are left out.

    Columns in: those of `parse`. Columns out: one per field, then those of `META_COLUMN_TYPES`.
    """
    fields = [F.col(f"event.`{field.name}`").alias(columns[field.name]) for field in schema]
    return parsed.where(F.col("cause").isNull()).select(
        *fields,
        F.lit(topic).alias("_topic"),
        F.col("partition").alias("_partition"),
        F.col("offset").alias("_offset"),
        F.col("timestamp").alias("_timestamp"),
        F.lit(schema_version).alias("_schema_version"),
        F.lit(generation_id).cast("bigint").alias("_generation_id"),
        F.to_date("event_time").alias("date"),
    )


def append(rows: DataFrame, uri: str, transaction: TableTransaction) -> None:
    """Append rows in one commit, adding columns that are new; a transaction that is there already changes nothing.

    Args:
        uri: As Spark names it (`s3a://...`).
    """
    (
        rows.write.format("delta")
        .mode("append")
        .partitionBy("date")
        .option("mergeSchema", "true")
        .option("txnAppId", transaction.application_id)
        .option("txnVersion", str(transaction.version))
        .save(uri)
    )


def last_transaction(uri: str, storage_options: Mapping[str, str], application_id: str) -> int:
    """Return the last number that an application wrote; 0: none, or there is no table.

    Args:
        uri: As deltalake names it (`s3://...`).
    """
    try:
        table = DeltaTable(uri, storage_options=dict(storage_options))
    except TableNotFoundError:
        return 0
    return table.transaction_version(application_id) or 0
