"""Settings -> stores -> what sends dead letters again. Apart from `wiring`: only the API does that."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sentinel.catalog.engine_tasks import EngineDesk
from sentinel.clock import monotonic_seconds
from sentinel.domain.engine_task import TaskKind
from sentinel.domain.redrive import RecordVerdict, RedriveReport
from sentinel.errors import RateLimitedError
from sentinel.ops.dead_letters import DeadLetterHandling
from sentinel.ops.redrive import RedriveOrder, Redriver
from sentinel.settings import Settings
from sentinel.stores.dead_letters import NotWritten, OutgoingRecord, Written
from sentinel.stores.kafka.event_log import AppendFailure, EventLog, EventRecord
from sentinel.wiring import Backend

# Redrives of one process at the same time: each holds one of the API's threads for as long as its rate asks.
REDRIVE_PLACES = 4


class Redrives:
    """Sends dead letters of all tenants again. Connects when first used."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self._backend = backend
        self._log = EventLog(settings.kafka, timeout_seconds=settings.ingest.timeout_seconds)
        self._places = threading.BoundedSemaphore(REDRIVE_PLACES)

    def of(self, tenant_id: str, caller: str) -> Redriver:
        """Return what does it for a tenant."""

        @contextmanager
        def units() -> Iterator[DeadLetterHandling]:
            with self._backend.unit(tenant_id, caller) as unit:
                yield unit.dead_letters

        return Redriver(
            units,
            _LogWriter(self._log),
            _DeskJudge(self._backend.desk(tenant_id, caller)),
            caller=caller,
            sleep=time.sleep,
            monotonic=monotonic_seconds,
            new_claim=lambda: uuid.uuid4().hex,
        )

    def run(self, tenant_id: str, caller: str, order: RedriveOrder) -> RedriveReport:
        """Send dead letters again, as `Redriver.redrive` does.

        Raises:
            RateLimitedError: As many redrives as may run at a time do.
        """
        if not self._places.acquire(blocking=False):
            raise RateLimitedError(
                f"{REDRIVE_PLACES} redrives run at this moment, as many as may; try again soon", retry_after_seconds=5
            )
        try:
            return self.of(tenant_id, caller).redrive(order)
        finally:
            self._places.release()

    def close(self) -> None:
        """Leave the broker."""
        self._log.close()


class _LogWriter:
    """The event log, as a redrive sees it."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def write(self, records: Sequence[OutgoingRecord]) -> list[Written | NotWritten]:
        """Write records, and return where each lies, or why it is not written."""
        events = [EventRecord(each.topic, each.value, each.key, each.headers) for each in records]
        return [
            NotWritten(outcome.reason, outcome.is_permanent)
            if isinstance(outcome, AppendFailure)
            else Written(*outcome)
            for outcome in self._log.append_placed(events)
        ]


class _DeskJudge:
    """The engine, asked through its table: it judges records as the stream does (ADR 13)."""

    def __init__(self, desk: EngineDesk) -> None:
        self._desk = desk

    def of_letters(self, pipeline_id: int, ids: Sequence[int]) -> Mapping[int, RecordVerdict]:
        """Judge the records of dead letters."""
        answer = self._desk.ask(pipeline_id, TaskKind.CHECK, {"ids": list(ids)})
        return {each["id"]: _verdict(each) for each in answer["records"]}

    def of_text(self, pipeline_id: int, value: bytes) -> RecordVerdict:
        """Judge one record."""
        text = base64.b64encode(value).decode()
        (found,) = self._desk.ask(pipeline_id, TaskKind.CHECK, {"text_base64": text})["records"]
        return _verdict(found)


def _verdict(found: Mapping[str, str | None]) -> RecordVerdict:
    return RecordVerdict(found["cause"], found["field"], found["detail"] or "")
