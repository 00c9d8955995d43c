"""What detectors are kept in and read from, as contexts see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sentinel.domain.detector import (
    Amendment,
    DetectorDefinition,
    DetectorFinding,
    DetectorRun,
    Need,
    Window,
)


@dataclass(frozen=True, slots=True)
class RefusedDeliveries:
    """Deliveries that one webhook source sent in a window and that were refused.

    Attributes:
        counts: Reason -> how many.
        sample_ids: Of some that were kept, newest first.
    """

    source_id: int
    source: str
    counts: Mapping[str, int]
    sample_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PaymentFigures:
    """Payments of one webhook source: in a window, and in a stretch of time before it.

    A payment counts once per window-long bucket, however many events tell of it; it failed when one of them says so.

    Attributes:
        sample_ids: Ids of events of failed payments in the window, oldest first.
    """

    source_id: int
    source: str
    failed: int
    total: int
    baseline_failed: int
    baseline_total: int
    sample_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustomerFigures:
    """Successful payments of one customer in one currency, in its smallest unit.

    Attributes:
        largest: Of the window.
        earlier_sum, earlier_count: Of the stretch of time before it.
        sample_ids: Ids of events of the window, that of the largest payment first.
    """

    customer: str
    currency: str
    largest: int
    payment_count: int
    earlier_sum: int
    earlier_count: int
    sample_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChurnFigures:
    """Subscriptions that ended, per webhook source.

    Attributes:
        baseline_count: Over the windows before.
        baseline_windows: How many of these there are since the source's first event.
    """

    source_id: int
    source: str
    ended: int
    baseline_count: int
    baseline_windows: int
    sample_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How many events a source of events sent in a window, and before.

    Attributes:
        kind: `webhook_source` or `pipeline`.
        before: In the window just before this one.
        usual: In the same window of each of the days before.
        usual_before: In the window before this one, likewise.
    """

    kind: str
    id: int
    name: str
    count: int
    before: int
    usual: tuple[int, ...]
    usual_before: tuple[int, ...]


class DetectorReader(Protocol):
    """What built-in detectors look at, of one tenant. Nothing is read that happened at or after a window's end."""

    def refused_deliveries(self, window: Window) -> Sequence[RefusedDeliveries]:
        """Return what was refused, per webhook source, by when it was received."""

    def payments(self, window: Window, *, baseline_days: int) -> Sequence[PaymentFigures]:
        """Return payments per webhook source, by when they happened. Windows before are as long as this one."""

    def customer_payments(self, window: Window, *, baseline_days: int, min_earlier: int) -> Sequence[CustomerFigures]:
        """Return customers who paid in the window, and often enough before."""

    def ended_subscriptions(self, window: Window, *, baseline_days: int) -> Sequence[ChurnFigures]:
        """Return subscriptions that ended, per webhook source, by when they did."""

    def heartbeats(self, window: Window, *, baseline_days: int) -> Sequence[Heartbeat]:
        """Return how many events came of each active webhook source and pipeline, by when they came."""

    def has_news(self, window: Window, since: datetime) -> bool:
        """Tell whether webhook events of the window came in at `since` or later."""

    def query(self, sql: str, window: Window, *, store: str, rows: int) -> Sequence[Mapping[str, Any]]:
        """Run a SELECT of the tenant's own over a store, and return its first rows.

        Args:
            sql: `:window_start` and `:window_end` stand for the window's.
            store: `postgres` or `lake`.
            rows: How many at most.

        Raises:
            InvalidError: It may not be run, or fails; the message says what to change.
            NotFoundError: The lake has no such table yet.
            StoreUnavailableError: The store does not answer.
        """


@dataclass(frozen=True, slots=True)
class WindowOutcome:
    """What evaluating a window changed."""

    fired: int = 0
    amended: int = 0


class WindowTransaction(Protocol):
    """One window of one detector: evaluated by one at a time, and written as a whole."""

    @property
    def reader(self) -> DetectorReader:
        """What the detector looks at."""

    def write(
        self,
        definition: DetectorDefinition,
        window: Window,
        findings: Sequence[DetectorFinding],
        *,
        context: Mapping[str, Any],
        advances: bool,
    ) -> WindowOutcome:
        """Make the anomalies of the window what the findings say. The same again changes nothing.

        Args:
            context: What evidence says besides: query version and parameters.
            advances: The window is the next one that was not evaluated yet.

        Raises:
            ConflictError: It is, and the detector was changed since the run began.
        """


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that is to be done now."""

    run_id: int
    definition: DetectorDefinition


class DetectorWork(Protocol):
    """The work of detectors, over all tenants."""

    def tenants(self) -> Sequence[str]:
        """Return every tenant."""

    def add_builtins(self, tenant_id: str, builtins: Sequence[DetectorDefinition], now: datetime) -> None:
        """Have the rows of the built-in detectors where they are missing."""

    def unread_tenants(self) -> Sequence[str]:
        """Return the tenants of which webhook events were not read yet."""

    def read_events(self, tenant_id: str) -> int:
        """Read the facts of some unread webhook events, oldest first, and return of how many."""

    def due(self, now: datetime) -> Sequence[tuple[str, int]]:
        """Return the detectors that are due, as (tenant, id), those that have waited longest first."""

    def claim(self, tenant_id: str, detector_id: int, now: datetime, needs: Mapping[str, Need]) -> ClaimedRun | None:
        """Take a detector that is due, and move its time on; None: another has it, or it is off.

        Args:
            needs: Kind -> what one in mode `auto` waits for.
        """

    def begin(
        self, tenant_id: str, definition: DetectorDefinition, run_at: datetime, *, requested_by: str, now: datetime
    ) -> int:
        """Note a run that somebody asked for, and return its id."""

    def window(self, tenant_id: str, detector_id: int, *, seconds: float) -> AbstractContextManager[WindowTransaction]:
        """Hold a detector, so that nobody else evaluates it, and commit at the end.

        Raises:
            ConflictError: Another has held it for too long.
            StoreUnavailableError: PostgreSQL does not answer.
        """

    def finish(self, tenant_id: str, run: FinishedRun) -> DetectorRun:
        """Note what became of a run."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What became of a run.

    Attributes:
        version: Of the detector, as it ran.
        error: Why it failed; None: every window that was due was evaluated.
        is_complete: Nothing that is due was left for the next run.
    """

    run_id: int
    detector_id: int
    version: int
    windows: Sequence[Window]
    finding_count: int
    fired_count: int
    amended_count: int
    error: str | None
    is_complete: bool
    started_at: datetime
    finished_at: datetime


class DetectorStore(Protocol):
    """Detectors of the transaction's tenant."""

    def list(self) -> Sequence[DetectorDefinition]:
        """Return those that have rows, by name."""

    def lock(self, name: str) -> DetectorDefinition | None:
        """Return one, locked until the transaction ends."""

    def lock_all(self) -> None:
        """Keep others from adding some until the transaction ends."""

    def add(
        self, definition: DetectorDefinition, *, created_by: str, next_run_at: datetime
    ) -> DetectorDefinition | None:
        """Keep a new one; None: its name is taken."""

    def change(self, definition: DetectorDefinition) -> DetectorDefinition:
        """Keep what can be changed of one, under its next version."""

    def delete(self, detector_id: int) -> None:
        """Take one away. Its alerts and their detector's name stay."""

    def is_ready(self, need: Need) -> bool:
        """Tell whether the tenant has what is waited for."""

    def last_runs(self) -> Mapping[int, DetectorRun]:
        """Return detector -> its newest run."""

    def runs(self, detector_id: int, *, before: int | None, limit: int) -> Sequence[DetectorRun]:
        """Return runs, newest first."""

    def amendments(self, alert_id: int) -> Sequence[Amendment] | None:
        """Return what an alert said before, oldest first; None: there is no such alert."""
