"""Runs a detector over the windows that are due."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sentinel.batch.detector import Detector
from sentinel.domain.detector import (
    MAX_FINDINGS,
    MAX_SAMPLES,
    MAX_SUBJECT_CHARACTERS,
    DetectorDefinition,
    DetectorFinding,
    DetectorRun,
    Need,
    Window,
)
from sentinel.errors import ConfigurationError, InvalidError, SentinelError, TooBroadError, TransientError
from sentinel.stores.detectors import DetectorWork, FinishedRun

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """A run on its way.

    Attributes:
        began: By the clock that never steps.
        advances: What it evaluates is evaluated once and for all, but for late events.
    """

    tenant_id: str
    definition: DetectorDefinition
    at: datetime
    began: float
    advances: bool
    stopping: threading.Event | None
    windows: list[Window] = field(default_factory=list)
    found: int = 0
    fired: int = 0
    amended: int = 0
    is_complete: bool = False


class DetectorRunner:
    """Runs detectors. Safe for many threads, here and in other processes.

    1. The tenant's new webhook events are read, so that what came before the run counts in it. 2. Per window, in one
    transaction that holds the detector: it is evaluated, its anomalies are written, with what tells the notifier, and
    the detector is advanced. 3. The run's outcome is noted. A crash between two windows leaves the rest to the next
    run; one within a window leaves nothing of it.

    Args:
        detectors: Kind -> detector.
        now: The clock.
        monotonic: Seconds that never step.
        run_seconds: How long a run may take.
    """

    def __init__(
        self,
        work: DetectorWork,
        detectors: Mapping[str, Detector[Any]],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        run_seconds: float,
    ) -> None:
        self._work = work
        self._detectors = detectors
        self._now = now
        self._monotonic = monotonic
        self._run_seconds = run_seconds

    @property
    def needs(self) -> Mapping[str, Need]:
        """Kind -> what one in mode `auto` waits for."""
        return {name: detector.need for name, detector in self._detectors.items()}

    def run_due(
        self, tenant_id: str, detector_id: int, now: datetime, *, stopping: threading.Event | None = None
    ) -> DetectorRun | None:
        """Run a detector that is due; None: another process has it, or it is off.

        Args:
            stopping: When it is set, the run ends after the window that it is in.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        claimed = self._work.claim(tenant_id, detector_id, now, self.needs)
        if claimed is None:
            return None
        run = _Run(tenant_id, claimed.definition, now, self._monotonic(), advances=True, stopping=stopping)
        return self._finished(run, claimed.run_id)

    def run_requested(
        self, tenant_id: str, definition: DetectorDefinition, at: datetime | None, *, requested_by: str
    ) -> DetectorRun:
        """Run a detector, whether or not it is due or on. One that fails is noted as such, not raised.

        Args:
            at: Evaluate what ended, with its grace, in the `late_hours` before this time; None: what is due now.

        Raises:
            InvalidError: The time is in the future.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        now = self._now()
        if at is not None and at > now:
            raise InvalidError(f"{at.isoformat()} is in the future: no window has ended by then")
        run_id = self._work.begin(tenant_id, definition, at or now, requested_by=requested_by, now=now)
        if at is not None:
            # The past is looked at as if for the first time, and the schedule goes on from where it is.
            definition = replace(definition, evaluated_until=None, checked_at=None)
        run = _Run(tenant_id, definition, at or now, self._monotonic(), advances=at is None, stopping=None)
        return self._finished(run, run_id)

    def _finished(self, run: _Run, run_id: int) -> DetectorRun:
        started_at = self._now()
        name = run.definition.name
        error: str | None = None
        try:
            while self._work.read_events(run.tenant_id):
                self._left(run)
            self._evaluate(run)
        except SentinelError as failed:
            error = failed.message
        except Exception as failed:
            # One detector that breaks must not break the others of the process.
            _LOG.exception("detector %r of tenant %s failed", name, run.tenant_id)
            error = f"an unexpected error ({type(failed).__name__}); the log of the process that ran it says more"
        if error is not None:
            _LOG.warning("detector %r of tenant %s: %s", name, run.tenant_id, error)
        return self._work.finish(
            run.tenant_id,
            FinishedRun(
                run_id=run_id,
                detector_id=run.definition.id,
                version=run.definition.version,
                windows=run.windows,
                finding_count=run.found,
                fired_count=run.fired,
                amended_count=run.amended,
                error=error,
                is_complete=run.is_complete,
                started_at=started_at,
                finished_at=self._now(),
            ),
        )

    def _evaluate(self, run: _Run) -> None:
        definition = run.definition
        detector = self._detectors.get(definition.kind)
        if detector is None:
            raise ConfigurationError(f"this version of Sentinel has no detector of kind {definition.kind!r}")
        parameters = detector.checked(definition.parameters)
        context = {"query_version": detector.query_version, "parameters": parameters.model_dump(mode="json")}
        due = detector.windows_due(definition, parameters, run.at)
        # The new ones first: under load the detector must not stay behind for looking back.
        for window, is_late in [*((new, False) for new in due.new), *((late, True) for late in reversed(due.late))]:
            with self._work.window(run.tenant_id, definition.id, seconds=self._left(run)) as held:
                since = definition.checked_at
                if is_late and since and detector.is_settled(window, parameters, held.reader, since):
                    continue
                findings = _checked(detector.detect(window, parameters, held.reader))
                advances = run.advances and not is_late
                outcome = held.write(definition, window, findings, context=context, advances=advances)
            run.windows.append(window)
            run.found += len(findings)
            run.fired += outcome.fired
            run.amended += outcome.amended
        run.is_complete = run.advances and due.is_complete

    def _left(self, run: _Run) -> float:
        """Return the seconds that a run has left.

        Raises:
            TransientError: The process is asked to stop.
            TooBroadError: It has none.
        """
        if run.stopping is not None and run.stopping.is_set():
            raise TransientError("its process was asked to stop; the next run evaluates what is left")
        left = self._run_seconds - (self._monotonic() - run.began)
        if left <= 0:
            raise TooBroadError(
                f"the run was ended after {self._run_seconds:g} s; the next one evaluates what it did not come to"
            )
        return left


def _checked(findings: Sequence[DetectorFinding]) -> Sequence[DetectorFinding]:
    """Return findings that can be kept.

    Raises:
        InvalidError: There are too many, or two of one subject.
    """
    if len(findings) > MAX_FINDINGS:
        raise InvalidError(
            f"{len(findings)} findings in one window, where {MAX_FINDINGS} are allowed: raise the thresholds"
        )
    subjects = Counter(finding.subject for finding in findings)
    doubled = next((subject for subject, count in subjects.items() if count > 1), None)
    if doubled is not None:
        raise InvalidError(f"the subject {doubled!r} was found twice in one window; make one finding of it")
    wrong = next((subject for subject in subjects if not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS), None)
    if wrong is not None:
        raise InvalidError(f"{wrong[:100]!r} is no subject: one has 1 to {MAX_SUBJECT_CHARACTERS} characters")
    if any(len(finding.sample_ids) > MAX_SAMPLES for finding in findings):
        raise InvalidError(f"a finding has more than {MAX_SAMPLES} sample ids")
    return findings
