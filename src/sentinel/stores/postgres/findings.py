"""Write findings: alerts, dead letters, progress and a change of generation, in one transaction."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from psycopg.errors import DataError, ProgramLimitExceeded, StatementTooComplex

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.evidence import EvidencePlan, evidence_text
from sentinel.domain.finding import DeadLetter, FindingBatch
from sentinel.domain.generation import Generation, Lease
from sentinel.domain.mute import SuppressionCause
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.rule import RuleVersion
from sentinel.domain.score import score_of
from sentinel.domain.storm import RuleHour, StormGuard, hour_of
from sentinel.domain.timestamps import utc
from sentinel.stores.postgres.database import Connection, Database, first_line
from sentinel.stores.postgres.json_text import jsonb_text
from sentinel.stores.postgres.ledger import advance_progress, count_minute, hold_lease, switch_generation
from sentinel.stores.postgres.statements import load_statements
from sentinel.stores.postgres.verdicts import Judged, count_silent, judge, write_decisions

_SQL = load_statements("findings")

# What says that an event's text is the matter. A record nested deeper than Python's stack reaches is among it.
NOT_STORABLE = (DataError, ProgramLimitExceeded, StatementTooComplex, ValueError, RecursionError)


# The current generation and its candidate; a few more cost nothing.
KEPT_PLANS = 3


@dataclass(frozen=True, slots=True)
class GenerationFindings:
    """Findings to commit, and the generation they come from.

    Attributes:
        borders: Set when the generation becomes the active one with this commit: partition -> first offset.
    """

    generation: Generation
    batch: FindingBatch
    borders: dict[int, int] | None = None


EvidencePlanner = Callable[[str, EventSchema, Mapping[str, str]], EvidencePlan]
"""Says what the matches of a condition are to keep as their evidence, given what names of other rules stand for."""


class EvidencePlans:
    """What the matches of one generation's rules keep; planned when a rule first matches."""

    def __init__(self, snapshot: PipelineSnapshot, plan: EvidencePlanner) -> None:
        self._snapshot = snapshot
        self._plan = plan
        self._known: dict[int, EvidencePlan] = {}
        self._conditions = {name: version.condition for name, version in snapshot.rule_set.references.items()}

    def of(self, rule: RuleVersion) -> EvidencePlan:
        """Return the plan of a rule of the rule set."""
        plan = self._known.get(rule.rule_version_id)
        if plan is None:
            plan = self._plan(rule.condition, self._snapshot.schema, self._conditions)
            self._known[rule.rule_version_id] = plan
        return plan


class FindingStore:
    """Commits findings of one tenant.

    Args:
        plan_evidence: As in `EvidencePlanner`; asked once per rule and generation.
    """

    def __init__(
        self, database: Database, tenant_id: str, *, score_ttl_seconds: int, plan_evidence: EvidencePlanner
    ) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._score_ttl_seconds = score_ttl_seconds
        self._guard = StormGuard()
        self._plan_evidence = plan_evidence
        self._plans: dict[int, EvidencePlans] = {}

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
            self._guard.forget()
            # One event among them is JSON that JSONB refuses in a way jsonb_text does not know: ask for each.
            return self._commit(lease, parts, self._storable_text)
        except BaseException:
            self._guard.forget()
            raise

    def _commit(self, lease: Lease, parts: list[GenerationFindings], text_of: Callable[[bytes], str]) -> int:
        inserted = decided = dead = 0
        with self._database.transaction(self._tenant_id) as tx:
            hold_lease(tx, lease)
            for part in parts:
                generation, batch = part.generation, part.batch
                if part.borders is not None:
                    switch_generation(tx, lease, self._tenant_id, generation.generation_id, part.borders)
                if batch.matches:
                    judged = self._hold_back(tx, generation, judge(generation.snapshot.rule_set, batch.matches))
                    inserted += self._write_alerts(tx, generation, judged, text_of)
                    count_silent(tx, self._tenant_id, lease.pipeline_id, judged)
                    write_decisions(tx, self._tenant_id, generation, judged)
                dead += self._write_dead_letters(tx, generation, batch.dead_letters)
                decided += advance_progress(tx, lease.pipeline_id, batch.next_offsets)
            if decided or dead:
                count_minute(tx, self._tenant_id, lease.pipeline_id, decided=decided, dead=dead)
        return inserted

    def _plans_of(self, generation: Generation) -> EvidencePlans:
        plans = self._plans.get(generation.generation_id)
        if plans is None:
            plans = EvidencePlans(generation.snapshot, self._plan_evidence)
            newest = sorted(self._plans)[-KEPT_PLANS:]
            self._plans = {number: self._plans[number] for number in newest} | {generation.generation_id: plans}
        return plans

    def _write_alerts(
        self, tx: Connection, generation: Generation, judged: list[Judged], text_of: Callable[[bytes], str]
    ) -> int:
        params: dict[str, Any] = {
            "tenant_id": self._tenant_id,
            "pipeline_id": generation.snapshot.pipeline_id,
            "generation_id": generation.generation_id,
            "refill_id": None,
            "source_epoch": generation.snapshot.source_epoch,
            "score_ttl_seconds": self._score_ttl_seconds,
        }
        rows = alert_rows(judged, text_of, self._plans_of(generation))
        inserted, staged = stage_alerts(tx, rows, params)
        if inserted < staged:
            tx.execute(_SQL["note_duplicates"], params)
            # Some of what the guard counted was there already.
            self._guard.forget(rule_hours(judged))
        return inserted

    def _hold_back(self, tx: Connection, generation: Generation, judged: list[Judged]) -> list[Judged]:
        """Let the storm guard decide which of the matches that would alert are only counted."""
        unknown = self._guard.unknown(rule_hours(judged))
        if unknown:
            known: dict[RuleHour, int] = dict.fromkeys(unknown, 0)
            wanted = {"rule_ids": [rule for rule, _ in unknown], "hours": [hour for _, hour in unknown]}
            pipeline_id = generation.snapshot.pipeline_id
            for row in tx.execute(_SQL["rule_hours"], {"pipeline_id": pipeline_id, **wanted}):
                known[row["rule_id"], row["hour"]] = row["alert_count"]
            self._guard.learn(known)
        limit = generation.snapshot.config.storm_limit
        return [self._within(each, limit) for each in judged]

    def _within(self, judged: Judged, limit: int) -> Judged:
        hour = hour_of(judged.match.timestamp_ms)
        admitted = [rule for rule in judged.alerted if self._guard.admit((rule.rule_id, hour), limit)]
        if len(admitted) == len(judged.alerted):
            return judged
        held = [(rule.rule_id, SuppressionCause.STORM.value) for rule in judged.alerted if rule not in admitted]
        return replace(judged, alerted=admitted, silent=[*judged.silent, *held])

    def _storable_text(self, raw: bytes) -> str:
        try:
            text = jsonb_text(raw)
            with self._database.transaction(self._tenant_id) as tx:
                tx.execute("SELECT %s::jsonb", (text,))
        except NOT_STORABLE as error:
            encoded = base64.b64encode(raw).decode()
            return orjson.dumps({"unstorable": first_line(error), "raw_base64": encoded}).decode()
        return text

    def _write_dead_letters(self, tx: Connection, generation: Generation, letters: list[DeadLetter]) -> int:
        """Return how many were new."""
        if not letters:
            return 0
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
            return cursor.rowcount


def rule_hours(judged: list[Judged]) -> set[RuleHour]:
    """Return every rule hour in which there may be an alert."""
    return {(rule.rule_id, hour_of(each.match.timestamp_ms)) for each in judged for rule in each.alerted}


def stage_alerts(tx: Connection, rows: Iterable[tuple[Any, ...]], params: dict[str, Any]) -> tuple[int, int]:
    """Insert alerts, rows as `alert_rows` yields them; return how many were new, and how many there were."""
    tx.execute(_SQL["create_staging"])
    tx.execute(_SQL["clear_staging"])
    staged = 0
    with tx.cursor().copy(_SQL["copy_staging"]) as copy:
        for row in rows:
            copy.write_row((staged, *row))
            staged += 1
    counted = tx.execute(_SQL["insert_alerts"], params).fetchone()
    return int(counted["inserted"]) if counted else 0, staged


def alert_rows(
    judged: list[Judged], text_of: Callable[[bytes], str], plans: EvidencePlans
) -> Iterator[tuple[Any, ...]]:
    """Yield one row per match and rule that alerts, in the order of the staging table's columns after the ordinal."""
    for each in judged:
        if not each.alerted:
            continue
        match = each.match
        score = score_of(rule.severity for rule in each.alerted)
        data = text_of(match.raw)
        event = decoded(data)
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
                evidence_text(plans.of(rule), event),
                match.origin.request_id or None,
                match.origin.traceparent or None,
            )


def decoded(text: str) -> Any:
    """Return an event's JSON decoded; an empty event where it is nested deeper than the decoder goes."""
    try:
        return orjson.loads(text)
    except ValueError:
        return {}
