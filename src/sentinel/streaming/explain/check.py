"""Say whether records would be events now: the task of kind `check`."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

from sentinel.clock import utc_now
from sentinel.stores.postgres.dead_letters import PostgresDeadLetters
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.engine_task import TaskContext
from sentinel.streaming.explain.event import ParsingForm, RawRecord, parsed_records
from sentinel.streaming.explain.handler import dead_letter_of

# Records that are parsed together: they are in the driver's memory several times over.
CHUNK_RECORDS = 50


def check_records(context: TaskContext) -> dict[str, Any]:
    """Return what each record is, parsed as the stream does it with the schema and settings of now.

    The request has `ids`, of dead letters, or `text_base64`, the bytes of a record. The result has `records`: for each,
    in that order, `id` (null for a text), and `cause`, `field`, `detail` of why it is no event; a null cause says that
    it is one. A record is judged as one that arrives now: an event time that was in the future may not be any more.

    Raises:
        StoreUnavailableError: PostgreSQL does not answer.
    """
    snapshot = SnapshotStore(context.database, context.tenant_id).current(context.pipeline_id)
    form = ParsingForm(snapshot.schema, snapshot.config, snapshot.kafka_topic, snapshot.source_epoch)
    found: list[dict[str, Any]] = []
    for chunk in _chunks(context):
        context.check()
        now = utc_now()
        records = [RawRecord(value, 0, place, now) for place, (_, value) in enumerate(chunk)]
        rows = (
            parsed_records(context.spark, records, form)
            .selectExpr("offset", "cause AS _c", "field AS _f", "detail AS _d")
            .collect()
        )
        for row in sorted((row.asDict() for row in rows), key=lambda row: row["offset"]):
            dead = dead_letter_of(records[row["offset"]], row, form)
            verdict = dead or {"cause": None, "field": None, "detail": ""}
            # A result is kept as JSONB, which knows no NUL.
            verdict["detail"] = verdict["detail"].replace("\x00", "\ufffd")
            found.append({"id": chunk[row["offset"]][0], **verdict})
    return {"schema_version": snapshot.schema_version, "records": found}


def _chunks(context: TaskContext) -> Iterator[Sequence[tuple[int | None, bytes | None]]]:
    if context.request.get("text_base64") is not None:
        yield [(None, base64.b64decode(context.request["text_base64"]))]
        return
    ids: list[int] = sorted(context.request["ids"])
    for start in range(0, len(ids), CHUNK_RECORDS):
        with context.database.transaction(context.tenant_id) as tx:
            raws = PostgresDeadLetters(tx).raws(context.pipeline_id, ids[start : start + CHUNK_RECORDS])
        yield list(raws.items())
