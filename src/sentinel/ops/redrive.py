"""Redrive: have the records of dead letters read again, as new records of their pipeline's topic (ADR 26)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from sentinel.domain.event_batch import record_key
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.json_document import JsonObject, RefusedError, read_document
from sentinel.domain.pipeline import Pipeline
from sentinel.domain.redrive import (
    COUNT_HEADER,
    FIRST_HEADER,
    LETTER_HEADER,
    MAX_REDRIVES,
    DeadLetterFilter,
    DeadLetterState,
    LeftLetter,
    NotSent,
    RecordVerdict,
    Redrive,
    RedriveCandidate,
    RedriveReport,
)
from sentinel.errors import ConflictError, NotFoundError, StoreUnavailableError
from sentinel.ops.dead_letters import CLAIM_SECONDS, DeadLetterHandling, no_letter, open_only, plain_filter
from sentinel.stores.dead_letters import OutgoingRecord, RecordWriter, Written

# Records of a chunk are claimed, sent and noted together: so many a crash between sending and noting can double.
CHUNK_RECORDS = 50


class Judge(Protocol):
    """Asks the engine whether records would be events of a pipeline's schema now."""

    def of_letters(self, pipeline_id: int, ids: Sequence[int]) -> Mapping[int, RecordVerdict]:
        """Judge the records of dead letters as they are kept."""

    def of_text(self, pipeline_id: int, value: bytes) -> RecordVerdict:
        """Judge one record."""


@dataclass(frozen=True, slots=True)
class RedriveOrder:
    """What is to be sent again.

    Attributes:
        ids: These; None: those that fit `wanted`, oldest first, at most `limit` of them after `after`.
        edited: What is sent in place of the one record that is named.
        only_events: Leave those that would be dead letters again. Needs the engine; a dry run asks it in any case.
        request_key: The same for a request that is repeated, so that it sends nothing again.
    """

    pipeline_id: int
    request_key: str
    ids: Sequence[int] | None = None
    wanted: DeadLetterFilter = field(default_factory=DeadLetterFilter)
    after: int = 0
    limit: int = 100
    edited: bytes | None = None
    only_events: bool = True
    dry_run: bool = False
    records_per_second: float = 50.0


@dataclass(frozen=True, slots=True)
class _Target:
    """Where records go, and as what they are read there."""

    pipeline: Pipeline
    schema: EventSchema


class Redriver:
    """Sends dead letters of one tenant again. Used outside of any transaction, since it waits for the broker.

    Per chunk of records: 1. claim: open dead letters are the request's for a while, committed; 2. produce, and wait
    until every replica in sync holds them; 3. record: state, place of the new record and audit entry, in one
    transaction. What was not written is given back as it was. A crash between 2 and 3 leaves dead letters open whose
    records were sent: after two minutes they can be redriven again, so delivery is at least once there, and the
    event's id keeps its alerts single.

    Args:
        units: Opens a unit of work.
        sleep: Keeps the rate, in seconds.
        new_claim: Makes names of claims.
    """

    def __init__(
        self,
        units: Callable[[], AbstractContextManager[DeadLetterHandling]],
        writer: RecordWriter,
        judge: Judge,
        *,
        caller: str,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
        new_claim: Callable[[], str],
    ) -> None:
        self._units = units
        self._writer = writer
        self._judge = judge
        self._caller = caller
        self._sleep = sleep
        self._monotonic = monotonic
        self._new_claim = new_claim

    def check(self, pipeline_id: int, letter_id: int, edited: bytes | None) -> RecordVerdict:
        """Say whether a dead letter, or what it was edited to, would be an event now.

        Raises:
            NotFoundError: The pipeline has no such dead letter.
            ConflictError: Only the beginning of its record is kept.
            EngineUnavailableError: No rule worker answers in time.
        """
        with self._units() as unit:
            unit.pipeline(pipeline_id)
            found = unit.letters.candidates(pipeline_id, [letter_id])
        if not found:
            raise no_letter(pipeline_id, letter_id)
        if edited is not None:
            return self._judge.of_text(pipeline_id, edited)
        if _is_cut(found[0]):
            raise ConflictError(_cut(found[0]))
        verdict = self._judge.of_letters(pipeline_id, [letter_id]).get(letter_id)
        if verdict is None:
            raise no_letter(pipeline_id, letter_id)
        return verdict

    def redrive(self, order: RedriveOrder) -> RedriveReport:
        """Send dead letters again, or say what that would do.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidError: The filter fits no open dead letter.
            StoreUnavailableError: The broker does not answer, and nothing was sent: no state has changed.
            EngineUnavailableError: Records were to be judged, and no rule worker answers in time.
        """
        open_only(order.wanted)
        with self._units() as unit:
            pipeline = unit.pipeline(order.pipeline_id)
            version = unit.schemas.get(pipeline.id, pipeline.schema_version)
            if version is None:
                raise NotFoundError(f"pipeline {pipeline.id} has no schema")
            before = [] if order.dry_run else unit.letters.redrives_of_request(pipeline.id, order.request_key)
            if before:
                last = before[-1].dead_letter_id
                ends = order.ids is not None
                return RedriveReport(len(before), before, next_after=None if ends else last, is_repeated=True)
            candidates, missing, next_after = unit.choose(
                pipeline.id, order.ids, order.wanted, after=order.after, limit=order.limit
            )
        report = RedriveReport(len(candidates) + len(missing), next_after=next_after)
        report.left += [LeftLetter(each, NotSent.MISSING, f"there is no dead letter {each}") for each in missing]
        ready = list(_ready(candidates, report, is_edited=order.edited is not None))
        if ready and (order.only_events or order.dry_run):
            ready = self._judged(order, ready, report)
        if ready and not order.dry_run:
            self._send_all(order, _Target(pipeline, version.schema), ready, report)
        return report

    def _judged(
        self, order: RedriveOrder, ready: Sequence[RedriveCandidate], report: RedriveReport
    ) -> list[RedriveCandidate]:
        if order.edited is not None:
            verdicts: Mapping[int, RecordVerdict] = {
                each.id: self._judge.of_text(order.pipeline_id, order.edited) for each in ready
            }
        else:
            verdicts = self._judge.of_letters(order.pipeline_id, [each.id for each in ready])
        events, refused = [], Counter[str]()
        for each in ready:
            verdict = verdicts[each.id]
            if verdict.cause is None:
                events.append(each)
                continue
            refused[verdict.cause] += 1
            if order.only_events:
                detail = f"it would be a dead letter again: {verdict.cause}: {verdict.detail}"
                report.left.append(LeftLetter(each.id, NotSent.NO_EVENT, detail))
        report.events, report.by_cause = len(events), dict(refused)
        return events if order.only_events else list(ready)

    def _send_all(
        self, order: RedriveOrder, target: _Target, ready: Sequence[RedriveCandidate], report: RedriveReport
    ) -> None:
        sent: list[Redrive] = []
        began = self._monotonic()
        size = max(1, min(CHUNK_RECORDS, int(order.records_per_second)))
        for start in range(0, len(ready), size):
            chunk = ready[start : start + size]
            due = began + start / order.records_per_second
            self._sleep(max(0.0, due - self._monotonic()))
            report.stopped = self._send(order, target, chunk, sent, report.left)
            if report.stopped:
                # The next request begins with what this one did not get to.
                report.next_after = None if order.ids is not None else chunk[0].id - 1
                break
        report.sent = sent
        if report.stopped and not sent:
            raise StoreUnavailableError("Kafka", report.stopped)

    def _send(
        self,
        order: RedriveOrder,
        target: _Target,
        chunk: Sequence[RedriveCandidate],
        sent: list[Redrive],
        left: list[LeftLetter],
    ) -> str:
        """Claim, produce and record some; return why it has to stop, empty where it has not."""
        claim, pipeline_id = self._new_claim(), target.pipeline.id
        with self._units() as unit:
            held = unit.letters.claim(pipeline_id, [each.id for each in chunk], claim, seconds=CLAIM_SECONDS)
            values = unit.letters.raws(pipeline_id, sorted(held)) if order.edited is None else {}
        mine = [each for each in chunk if each.id in held]
        left += [LeftLetter(each.id, NotSent.IN_PROGRESS, _TAKEN) for each in chunk if each.id not in held]
        records = [self._record(target, each, order.edited, values) for each in mine]
        outcomes = self._writer.write(records)
        now_sent: list[Redrive] = []
        unsent: list[int] = []
        trouble = ""
        for each, record, outcome in zip(mine, records, outcomes, strict=True):
            if isinstance(outcome, Written):
                now_sent.append(self._redrive(order, target, each, record, outcome))
                continue
            unsent.append(each.id)
            if outcome.is_permanent:
                left.append(LeftLetter(each.id, NotSent.REFUSED, f"the topic {record.topic!r}: {outcome.reason}"))
            else:
                trouble = outcome.reason
        said: dict[str, Any] = {"edited": order.edited is not None}
        with self._units() as unit:
            unit.settle(
                pipeline_id, now_sent, unsent, claim, said if order.ids else {**said, **plain_filter(order.wanted)}
            )
        sent += now_sent
        return trouble

    def _record(
        self, target: _Target, letter: RedriveCandidate, edited: bytes | None, values: Mapping[int, bytes | None]
    ) -> OutgoingRecord:
        value = edited if edited is not None else values[letter.id] or b""
        headers = (
            (LETTER_HEADER, str(letter.id).encode()),
            (FIRST_HEADER, str(letter.first_id).encode()),
            (COUNT_HEADER, str(letter.redrive_count + 1).encode()),
        )
        return OutgoingRecord(target.pipeline.kafka_topic, value, _key(value, target.schema), headers)

    def _redrive(
        self, order: RedriveOrder, target: _Target, letter: RedriveCandidate, record: OutgoingRecord, place: Written
    ) -> Redrive:
        return Redrive(
            dead_letter_id=letter.id,
            first_id=letter.first_id,
            redrive_count=letter.redrive_count + 1,
            is_edited=order.edited is not None,
            value_sha256=hashlib.sha256(record.value).digest(),
            size_bytes=len(record.value),
            kafka_topic=record.topic,
            source_epoch=target.pipeline.source_epoch,
            kafka_partition=place.partition,
            kafka_offset=place.offset,
            request_key=order.request_key,
            redriven_by=self._caller,
        )


_TAKEN = "somebody else redrives or has just changed it; look again in a moment"


def _ready(
    candidates: Sequence[RedriveCandidate], report: RedriveReport, *, is_edited: bool
) -> Iterator[RedriveCandidate]:
    """Yield those that can be sent; say of the others why not."""
    for each in candidates:
        why: tuple[NotSent, str] | None = None
        if each.state is not DeadLetterState.OPEN:
            why = NotSent.NOT_OPEN, f"it is {each.state}"
        elif each.is_claimed:
            why = NotSent.IN_PROGRESS, _TAKEN
        elif each.redrive_count >= MAX_REDRIVES:
            why = (
                NotSent.LOOP,
                f"its record was redriven {each.redrive_count} times since dead letter {each.first_id}, as often as "
                "one may be: discard it, and send what is right as a new event",
            )
        elif each.kept_bytes is None and not is_edited:
            why = NotSent.NO_VALUE, "its record has no value, so there is nothing to send"
        elif _is_cut(each) and not is_edited:
            why = NotSent.CUT, _cut(each)
        if why is None:
            yield each
        else:
            report.left.append(LeftLetter(each.id, *why))


def _is_cut(letter: RedriveCandidate) -> bool:
    return letter.kept_bytes is not None and letter.kept_bytes < letter.raw_size_bytes


def _cut(letter: RedriveCandidate) -> str:
    return (
        f"only the first {letter.kept_bytes} of its {letter.raw_size_bytes} bytes are kept; send the whole record from "
        "its source"
    )


def _key(value: bytes, schema: EventSchema) -> bytes | None:
    try:
        document = read_document(value.decode())
    except (ValueError, RecursionError, RefusedError):
        return None
    return record_key(document, schema) if isinstance(document, JsonObject) else None
