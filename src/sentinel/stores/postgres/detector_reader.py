"""What built-in detectors look at, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sentinel.domain.detector import MAX_SAMPLES, Window
from sentinel.errors import InvalidError
from sentinel.stores.detectors import ChurnFigures, CustomerFigures, Heartbeat, PaymentFigures, RefusedDeliveries
from sentinel.stores.postgres.database import Connection, Row, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("detector_reader")
_FAILED = ["payment_intent.payment_failed", "charge.failed"]
_ENDED = ["customer.subscription.deleted"]

QueryRunner = Callable[[str, Window, int], Sequence[Mapping[str, Any]]]
"""Runs a tenant's own SELECT for a window and returns so many rows at most."""


class PostgresDetectorReader:
    """Reads as the tenant of the transaction.

    Args:
        queries: Store -> what runs a detector's own SELECT over it.
    """

    def __init__(self, connection: Connection, queries: Mapping[str, QueryRunner]) -> None:
        self._connection = connection
        self._queries = queries

    def refused_deliveries(self, window: Window) -> Sequence[RefusedDeliveries]:
        """Return what was refused, per webhook source, by when it was received."""
        counts: dict[tuple[int, str], dict[str, int]] = {}
        for row in self._rows("refused", window):
            counts.setdefault((row["source_id"], row["source"]), {})[row["reason"]] = row["attempt_count"]
        return [
            RefusedDeliveries(source_id, source, found, self._samples("refused_samples", window, source_id=source_id))
            for (source_id, source), found in counts.items()
        ]

    def payments(self, window: Window, *, baseline_days: int) -> Sequence[PaymentFigures]:
        """Return payments per webhook source, by when they happened."""
        return [
            PaymentFigures(
                **row,
                sample_ids=self._samples("event_samples", window, source_id=row["source_id"], event_types=_FAILED),
            )
            for row in self._rows("payments", window, baseline_days=baseline_days)
        ]

    def customer_payments(self, window: Window, *, baseline_days: int, min_earlier: int) -> Sequence[CustomerFigures]:
        """Return customers who paid in the window, and often enough before."""
        rows = self._rows("customer_payments", window, baseline_days=baseline_days, min_earlier=min_earlier)
        return [
            CustomerFigures(
                customer=row["customer"],
                currency=row["currency"],
                largest=row["largest"],
                payment_count=row["payment_count"],
                earlier_sum=int(row["earlier_sum"]),
                earlier_count=row["earlier_count"],
                sample_ids=tuple(row["sample_ids"]),
            )
            for row in rows
        ]

    def ended_subscriptions(self, window: Window, *, baseline_days: int) -> Sequence[ChurnFigures]:
        """Return subscriptions that ended, per webhook source, by when they did."""
        windows = timedelta(days=baseline_days) // window.length
        first = window.start - windows * window.length
        return [
            ChurnFigures(
                source_id=row["source_id"],
                source=row["source"],
                ended=row["ended"],
                baseline_count=row["earlier"],
                # The window of the first event counts: most of it was before anything could come.
                baseline_windows=-((row["first_seen"] - window.start) // window.length),
                sample_ids=self._samples("event_samples", window, source_id=row["source_id"], event_types=_ENDED),
            )
            for row in self._rows("ended_subscriptions", window, first=first)
        ]

    def heartbeats(self, window: Window, *, baseline_days: int) -> Sequence[Heartbeat]:
        """Return how many events came of each active webhook source and pipeline, by when they came."""
        found: list[Heartbeat] = []
        for kind, statement in (("webhook_source", "source_beats"), ("pipeline", "pipeline_beats")):
            counts: dict[tuple[int, str], dict[int, list[int]]] = {}
            for row in self._rows(statement, window, baseline_days=baseline_days):
                counts.setdefault((row["id"], row["name"]), {0: [], 1: []})[row["shift"]].append(row["beat_count"])
            for (number, name), by_shift in counts.items():
                (count, *usual), (before, *usual_before) = by_shift[0], by_shift[1]
                found.append(Heartbeat(kind, number, name, count, before, tuple(usual), tuple(usual_before)))
        return found

    def has_news(self, window: Window, since: datetime) -> bool:
        """Tell whether webhook events of the window came in at `since` or later."""
        return bool(required(next(iter(self._rows("has_news", window, since=since)), None))["found"])

    def query(self, sql: str, window: Window, *, store: str, rows: int) -> Sequence[Mapping[str, Any]]:
        """Run a SELECT of the tenant's own over a store, and return its first rows.

        Raises:
            InvalidError, NotFoundError, StoreUnavailableError: As of the protocol.
        """
        run = self._queries.get(store)
        if run is None:
            raise InvalidError(f"no SQL can be run over {store!r} here; use one of {', '.join(sorted(self._queries))}")
        return run(sql, window, rows)

    def _samples(self, statement: str, window: Window, **more: Any) -> tuple[str, ...]:
        return tuple(str(row["id"]) for row in self._rows(statement, window, **more))

    def _rows(self, statement: str, window: Window, **more: Any) -> list[Row]:
        parameters = {
            "start": window.start,
            "end": window.end,
            "length": window.length,
            "samples": MAX_SAMPLES,
            **more,
        }
        return self._connection.execute(_SQL[statement], parameters, prepare=False).fetchall()
