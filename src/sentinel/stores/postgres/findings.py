"""Write findings: alerts, dead letters, progress and a change of generation, in one transaction."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg.errors import DataError, ProgramLimitExceeded, StatementTooComplex

from sentinel.domain.finding import DeadLetter, FindingBatch
from sentinel.domain.generation import Generation, Lease
from sentinel.domain.score import score_of
from sentinel.domain.timestamps import utc
from sentinel.stores.postgres.database import Connection, Database, first_line
from sentinel.stores.postgres.json_text import jsonb_text
from sentinel.stores.postgres.ledger import advance_progress, hold_lease, switch_generation
from sentinel.stores.postgres.statements import load_statements
from sentinel.stores.postgres.verdicts import Judged, count_silent, judge, write_decisions

_SQL = load_statements("findings")

# What says that an event's text is the matter. A record nested deeper than Python's stack reaches is among it.
NOT_STORABLE = (DataError, ProgramLimitExceeded, StatementTooComplex, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class GenerationFindings:
    """Findings to commit, and the generation they come from.

    Attributes:
        borders: Set when the generation becomes the active one with this commit: partition -> first offset.
    """

    generation: Generation
    batch: FindingBatch
    borders: dict[int, int] | None = None


class FindingStore:
    """Commits findings of one tenant."""

    def __init__(self, database: Database, tenant_id: str, *, score_ttl_seconds: int) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._score_ttl_seconds = score_ttl_seconds

    def commit(self, lease: Lease, parts: list[GenerationFindings]) -> int:
        """Commit everything in one transaction and return the number of new alerts.

        Effectively once: alerts are unique on (pipeline, rule, event), dead letters on the record, progress only
        grows, so committing the same again adds nothing.

        Raises:
            LeaseLostError: Another driver holds the pipeline; nothing was written.
            StoreUnavailableError: PostgreSQL does not answer; nothing, or everything, was written: repeat it.
        """
        try:
            return self._commit(lease, parts, jsonb_text)
        except NOT_STORABLE:
            # One event among them is JSON that JSONB refuses in a way jsonb_text does not know: ask for each.
            return self._commit(lease, parts, self._storable_text)

    def _commit(self, lease: Lease, parts: list[GenerationFindings], text_of: Callable[[bytes], str]) -> int:
        inserted = 0
        with self._database.transaction(self._tenant_id) as tx:
            hold_lease(tx, lease)
            for part in parts:
                generation, batch = part.generation, part.batch
                if part.borders is not None:
                    switch_generation(tx, lease, self._tenant_id, generation.generation_id, part.borders)
                if batch.matches:
                    judged = judge(generation.snapshot.rule_set, batch.matches)
                    inserted += self._write_alerts(tx, generation, alert_rows(judged, text_of))
                    count_silent(tx, self._tenant_id, lease.pipeline_id, judged)
                    write_decisions(tx, self._tenant_id, generation, judged)
                self._write_dead_letters(tx, generation, batch.dead_letters)
                advance_progress(tx, lease.pipeline_id, batch.next_offsets)
        return inserted

    def _write_alerts(self, tx: Connection, generation: Generation, rows: Iterator[tuple[Any, ...]]) -> int:
        params: dict[str, Any] = {
            "tenant_id": self._tenant_id,
            "pipeline_id": generation.snapshot.pipeline_id,
            "generation_id": generation.generation_id,
            "source_epoch": generation.snapshot.source_epoch,
            "score_ttl_seconds": self._score_ttl_seconds,
        }
        tx.execute(_SQL["create_staging"])
        tx.execute(_SQL["clear_staging"])
        staged = 0
        with tx.cursor().copy(_SQL["copy_staging"]) as copy:
            for row in rows:
                copy.write_row((staged, *row))
                staged += 1
        counted = tx.execute(_SQL["insert_alerts"], params).fetchone()
        inserted = int(counted["inserted"]) if counted else 0
        if inserted < staged:
            tx.execute(_SQL["note_duplicates"], params)
        return inserted

    def _storable_text(self, raw: bytes) -> str:
        try:
            text = jsonb_text(raw)
            with self._database.transaction(self._tenant_id) as tx:
                tx.execute("SELECT %s::jsonb", (text,))
        except NOT_STORABLE as error:
            encoded = base64.b64encode(raw).decode()
            return orjson.dumps({"unstorable": first_line(error), "raw_base64": encoded}).decode()
        return text

    def _write_dead_letters(self, tx: Connection, generation: Generation, letters: list[DeadLetter]) -> None:
        if not letters:
            return
        snapshot = generation.snapshot
        with tx.cursor() as cursor:
            cursor.executemany(
                _SQL["insert_dead_letter"],
                [
                    {
                        "tenant_id": self._tenant_id,
                        "pipeline_id": snapshot.pipeline_id,
                        "generation_id": generation.generation_id,
                        "source_epoch": snapshot.source_epoch,
                        "kafka_topic": snapshot.kafka_topic,
                        "kafka_partition": letter.partition,
                        "kafka_offset": letter.offset,
                        "kafka_timestamp": utc(letter.timestamp_ms),
                        "cause": letter.cause,
                        "field": letter.field,
                        "detail": letter.detail.replace("\x00", "\ufffd"),
                        "raw": letter.raw,
                        "raw_size_bytes": letter.raw_size_bytes,
                    }
                    for letter in letters
                ],
            )


def alert_rows(judged: list[Judged], text_of: Callable[[bytes], str]) -> Iterator[tuple[Any, ...]]:
    """Yield one row per match and rule that alerts, in the order of the staging table's columns after the ordinal."""
    for each in judged:
        if not each.alerted:
            continue
        match = each.match
        score = score_of(rule.severity for rule in each.alerted)
        data = text_of(match.raw)
        entities = orjson.dumps(each.entities).decode()
        content_hash = hashlib.md5(match.raw, usedforsecurity=False).digest()
        timestamp = utc(match.timestamp_ms)
        for rule in each.alerted:
            yield (
                rule.rule_id,
                rule.rule_version_id,
                each.event_id,
                rule.severity.value,
                score,
                entities,
                data,
                content_hash,
                match.partition,
                match.offset,
                timestamp,
            )
