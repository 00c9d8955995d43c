"""Follow the alerts in PostgreSQL and keep the scores in Redis equal to them."""

from __future__ import annotations

import logging
import threading
from collections import deque

from sentinel.domain.score import score_of, score_of_counts
from sentinel.errors import StoreUnavailableError
from sentinel.stores.postgres.alert_scores import AlertScoreReader
from sentinel.stores.redis.scores import ScoreStore
from sentinel.streaming.faults import fault_point

log = logging.getLogger(__name__)

BATCH_ALERTS = 5_000
MAX_CLEAN = 500_000
RETRY_SECONDS = 1.0
# Without news the position is looked at now and then, so that a flushed Redis is filled again.
IDLE_CHECK_SECONDS = 5.0


class ScoreWriter(threading.Thread):
    """A thread that writes the scores of alerts after they are committed.

    1. Read from Redis up to which alert its scores go.
    2. Read the next alerts, the other alerts of the same events, and the counts of their entities.
    3. Write absolute scores and the new position in one Redis transaction.

    A crash anywhere repeats the same values. Redis being away delays scores and nothing else; a Redis that lost its
    data has no position and is filled again from the alerts that are younger than the scores' time to live.
    Scores of clean events (only where every event is scored) wait in memory, at most 500,000: of more the oldest are
    dropped, and a crash loses those of the last moment. The API still answers "clean" for them from the ledger.
    """

    def __init__(self, alerts: AlertScoreReader, scores: ScoreStore, *, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._alerts = alerts
        self._scores = scores
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._clean: deque[str] = deque(maxlen=MAX_CLEAN)
        self._healthy = True

    def notify(self, clean_event_ids: list[str]) -> None:
        """Say that alerts were committed, and hand over clean events."""
        self._clean.extend(clean_event_ids)
        self._news.set()

    def stop(self, timeout_seconds: float) -> None:
        """Write what is due and end."""
        self._stopped.set()
        self._news.set()
        self.join(timeout_seconds)

    def run(self) -> None:
        """Follow until stopped."""
        while True:
            self._news.wait(IDLE_CHECK_SECONDS)
            self._news.clear()
            stopping = self._stopped.is_set()
            try:
                while self.catch_up():
                    pass
                self._write_clean()
                if not self._healthy:
                    log.info("scores are written again")
                self._healthy = True
            except StoreUnavailableError as error:
                if self._healthy:
                    log.warning("scores wait: %s", error)
                self._healthy = False
                if not stopping:
                    self._stopped.wait(RETRY_SECONDS)
                    self._news.set()
            except Exception:
                log.exception("scores could not be written; trying again")
                if not stopping:
                    self._stopped.wait(RETRY_SECONDS)
                    self._news.set()
            if stopping:
                return

    def catch_up(self) -> bool:
        """Write the scores of the next alerts; return whether there may be more.

        Raises:
            StoreUnavailableError: PostgreSQL or Redis does not answer; nothing, or all of it, was written.
        """
        position = self._scores.position()
        alerts = self._alerts.after(position, BATCH_ALERTS)
        if not alerts.severities:
            return False
        fault_point("before_scores")
        written = self._scores.write(
            {event_id: score_of(found) for event_id, found in alerts.severities.items()},
            {entity: score_of_counts(*found) for entity, found in alerts.counts.items()},
            position=alerts.last_id,
            after=position,
        )
        if not written:
            return True  # Redis lost its data meanwhile: from the beginning
        fault_point("after_scores")
        return alerts.full

    def _write_clean(self) -> None:
        while self._clean:
            chunk: list[str] = []
            while self._clean and len(chunk) < BATCH_ALERTS:
                chunk.append(self._clean.popleft())
            try:
                self._scores.write_clean(chunk)
            except StoreUnavailableError:
                self._clean.extendleft(reversed(chunk[: MAX_CLEAN - len(self._clean)]))
                raise
