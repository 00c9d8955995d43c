"""Events that wait on disk while the broker is away: a bounded SQLite file that survives restarts.

Several processes may share the file; one of them at a time brings it to the broker. What is in it may come after
events that were sent later.
"""

from __future__ import annotations

import fcntl
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from sentinel.errors import SentinelError
from sentinel.stores.kafka.event_log import AppendFailure, EventRecord

log = logging.getLogger(__name__)

BATCH = 500
PAUSE_SECONDS = 1.0
_OVERHEAD = 64  # bytes of a row beside its texts
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, key BLOB, value BLOB NOT NULL, headers TEXT NOT NULL,
    size INTEGER NOT NULL, refused TEXT
);
CREATE INDEX IF NOT EXISTS waiting ON events (id) WHERE refused IS NULL;
"""
_PUT = "INSERT INTO events (topic, key, value, headers, size) VALUES (?, ?, ?, ?, ?)"
_NEXT = "SELECT id, topic, key, value, headers FROM events WHERE refused IS NULL AND id > ? ORDER BY id LIMIT ?"


class Log(Protocol):
    """Where the events go."""

    def append(self, records: Sequence[EventRecord]) -> list[AppendFailure | None]:
        """Write records; return, for each, None when it is held, else why not."""


class EventSpool:
    """Keeps events until the broker takes them. Safe for many threads and processes."""

    def __init__(self, path: Path, *, max_bytes: int, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    def put(self, records: Sequence[EventRecord]) -> bool:
        """Keep all of them, on disk when this returns; or none, where there is no room or the disk fails."""
        rows = [
            (
                record.topic,
                record.key,
                record.value,
                json.dumps([(name, value.decode("latin-1")) for name, value in record.headers]),
                _OVERHEAD
                + len(record.value)
                + len(record.key or b"")
                + sum(len(name) + len(value) for name, value in record.headers),
            )
            for record in records
        ]
        try:
            with self._connected() as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                held = connection.execute("SELECT coalesce(sum(size), 0) FROM events").fetchone()[0]
                if held + sum(row[-1] for row in rows) > self._max_bytes:
                    return False
                connection.executemany(_PUT, rows)
        except sqlite3.Error:
            log.exception("the spool %s cannot be written", self._path)
            return False
        return True

    def counts(self) -> tuple[int, int]:
        """Return how many events wait, and how many the broker refuses for good; these stay for somebody to look at."""
        with self._connected() as connection:
            waiting, refused = connection.execute(
                "SELECT count(*) - count(refused), count(refused) FROM events"
            ).fetchone()
        return waiting, refused

    def drain(self, target: Log, make_topic: Callable[[str], None] | None = None) -> int:
        """Bring what waits to the broker, unless another process does; return how many it took.

        A topic that does not take its events now does not keep those of others waiting.

        Args:
            make_topic: Creates a topic that is missing; None: its events are refused.
        """
        taken, last = 0, 0
        stuck: set[str] = set()
        with self._alone() as is_alone, self._connected() as connection:
            while is_alone and not self._stopping.is_set():
                found = connection.execute(_NEXT, (last, BATCH)).fetchall()
                if not found:
                    break
                last = found[-1][0]
                rows = [row for row in found if row[1] not in stuck]
                failures = target.append([_record(row) for row in rows])
                held, refused = [], []
                for row, failure in zip(rows, failures, strict=True):
                    if failure is None:
                        held.append((row[0],))
                    elif failure.is_permanent and not (failure.is_missing_topic and make_topic):
                        refused.append((failure.reason, row[0]))
                    else:
                        stuck.add(row[1])
                        if failure.is_missing_topic and make_topic:
                            self._make(make_topic, row[1])
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany("DELETE FROM events WHERE id = ?", held)
                    connection.executemany("UPDATE events SET refused = ? WHERE id = ?", refused)
                if refused:
                    log.error("the broker refuses %d spooled events, which stay in %s", len(refused), self._path)
                taken += len(held)
        return taken

    def _make(self, make_topic: Callable[[str], None], topic: str) -> None:
        try:
            make_topic(topic)
        except SentinelError as error:
            log.warning("spooled events wait for the topic %r: %s", topic, error.message)

    def start(self, target: Log, make_topic: Callable[[str], None] | None = None) -> None:
        """Drain whenever something waits, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, args=(target, make_topic), name="event-spool", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What waits stays on disk."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self, target: Log, make_topic: Callable[[str], None] | None) -> None:
        while not self._stopping.wait(self._pause_seconds):
            try:
                if self.counts()[0] and (taken := self.drain(target, make_topic)):
                    log.info("%d spooled events were brought to the broker", taken)
            except sqlite3.Error:
                log.exception("the spool %s cannot be read", self._path)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the right to drain; false where another process has it."""
        with self._path.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True


def _record(row: tuple[int, str, bytes | None, bytes, str]) -> EventRecord:
    _, topic, key, value, headers = row
    return EventRecord(topic, value, key, tuple((name, text.encode("latin-1")) for name, text in json.loads(headers)))
