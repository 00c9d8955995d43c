"""Refills in PostgreSQL: their ledger, and the alerts they make."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from sentinel.domain.history import Clock, LakeEnds, TimeRange
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.refill import Refill, RefillRequest
from sentinel.domain.rule import RuleVersion, Severity
from sentinel.domain.score import score_of
from sentinel.domain.timestamps import utc
from sentinel.stores.postgres.database import Database, Row, required
from sentinel.stores.postgres.findings import stage_alerts
from sentinel.stores.postgres.json_text import jsonb_text
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("refills")


@dataclass(frozen=True, slots=True)
class RefilledMatch:
    """An event of the lake for which rules of a refill are true.

    Attributes:
        generation_id: Under which it was archived.
        event_json: Its fields as JSON, since the lake does not keep the record's own text.
        entities_json: Entity field -> value as text.
        evidence: Per rule: each condition that had to be true, with its values, as JSON.
    """

    generation_id: int
    partition: int
    offset: int
    timestamp_ms: int
    event_id: str
    rules: tuple[RuleVersion, ...]
    event_json: str
    entities_json: str
    evidence: tuple[str, ...]


class RefillStore:
    """The refills of one pipeline."""

    def __init__(self, database: Database, tenant_id: str, pipeline_id: int, *, score_ttl_seconds: int) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._pipeline_id = pipeline_id
        self._score_ttl_seconds = score_ttl_seconds

    def begin(self, task_id: int, request: RefillRequest, snapshot: PipelineSnapshot, ends: LakeEnds) -> Refill:
        """Record what a refill evaluates; a task that began before gets what it began with."""
        parameters = {
            "pipeline_id": self._pipeline_id,
            "task_id": task_id,
            "rule_version_ids": [*request.rule_version_ids],
            "schema_version": snapshot.schema_version,
            "rule_set_version": snapshot.rule_set.version,
            "clock": request.range.clock,
            "range_start": request.range.start,
            "range_end": request.range.end,
            "ends": Jsonb({str(epoch): {str(p): end for p, end in places.items()} for epoch, places in ends.items()}),
        }
        with self._database.transaction(self._tenant_id) as tx:
            return _refill(required(tx.execute(_SQL["begin"], parameters).fetchone()))

    def list(self) -> list[Refill]:
        """Return all refills, oldest first."""
        with self._database.transaction(self._tenant_id) as tx:
            return [_refill(row) for row in tx.execute(_SQL["list"], {"pipeline_id": self._pipeline_id})]

    def rules(self, rule_version_ids: Sequence[int]) -> tuple[RuleVersion, ...]:
        """Return these versions, ordered by rule."""
        parameters = {"pipeline_id": self._pipeline_id, "rule_version_ids": [*rule_version_ids]}
        with self._database.transaction(self._tenant_id) as tx:
            rows = tx.execute(_SQL["rule_versions"], parameters).fetchall()
        return tuple(RuleVersion(**{**row, "severity": Severity(row["severity"])}) for row in rows)

    def write(self, refill: Refill, matches: Sequence[RefilledMatch]) -> int:
        """Write alerts in one transaction and return how many are new; those that are there stay what they are.

        The job's alert writer waits meanwhile, so few at a time are few milliseconds for it.
        """
        added = 0
        with self._database.transaction(self._tenant_id) as tx:
            tx.execute(_SQL["wait_for_writer"], {"pipeline_id": self._pipeline_id})
            for generation_id in sorted({match.generation_id for match in matches}):
                rows = [row for match in matches if match.generation_id == generation_id for row in alert_rows(match)]
                inserted, _ = stage_alerts(
                    tx,
                    rows,
                    {
                        "tenant_id": self._tenant_id,
                        "pipeline_id": self._pipeline_id,
                        "generation_id": generation_id,
                        "refill_id": refill.id,
                        "score_ttl_seconds": self._score_ttl_seconds,
                    },
                )
                added += inserted
            tx.execute(_SQL["count_alerts"], {"refill_id": refill.id, "added": added})
        return added

    def complete(self, refill: Refill, match_count: int) -> Refill:
        """Record that all alerts of a refill are there."""
        parameters = {"refill_id": refill.id, "match_count": match_count}
        with self._database.transaction(self._tenant_id) as tx:
            return _refill(required(tx.execute(_SQL["complete"], parameters).fetchone()))


def alert_rows(match: RefilledMatch, text_of: Callable[[bytes], str] = jsonb_text) -> list[tuple[Any, ...]]:
    """Return one row per rule, in the order of the staging table's columns after the ordinal."""
    event, entities = match.event_json.encode(), match.entities_json.encode()
    score = score_of(rule.severity for rule in match.rules)
    return [
        (
            rule.rule_id,
            rule.rule_version_id,
            match.event_id.replace("\x00", "\ufffd"),
            rule.severity.value,
            score,
            text_of(entities),
            text_of(event),
            hashlib.md5(event, usedforsecurity=False).digest(),
            match.partition,
            match.offset,
            utc(match.timestamp_ms),
            text_of(evidence.encode()),
            # The lake has no headers.
            None,
            None,
        )
        for rule, evidence in zip(match.rules, match.evidence, strict=True)
    ]


def _refill(row: Row) -> Refill:
    return Refill(
        id=row["id"],
        task_id=row["task_id"],
        rule_version_ids=tuple(row["rule_version_ids"]),
        schema_version=row["schema_version"],
        rule_set_version=row["rule_set_version"],
        range=TimeRange(row["range_start"], row["range_end"], Clock(row["clock"])),
        ends={int(epoch): {int(p): end for p, end in places.items()} for epoch, places in row["ends"].items()},
        is_complete=row["is_complete"],
        match_count=row["match_count"],
        alert_count=row["alert_count"],
    )
