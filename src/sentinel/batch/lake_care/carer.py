"""Cares for one lake table."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sentinel.batch.lake_care.metrics import LakeCareMetrics
from sentinel.domain.lake_care import (
    CareCause,
    CareOutcome,
    CarePlan,
    CarePolicy,
    Compaction,
    TableShape,
    plan_care,
    retry_after,
)
from sentinel.errors import ConflictError, SentinelError, StoreUnavailableError, TransientError
from sentinel.stores.lake_care import ClaimedCare, LakeCareWork, LakeTableCare, Merged

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

# A run that has taken so long leaves the rest to the next one, so that other tables have their turn.
RUN_SECONDS = 600.0
# The archive holds the table's turn for seconds; in a backlog again and again.
TURN_WAIT_SECONDS = 60.0
# What a claim or a turn outlasts a step by.
MARGIN_SECONDS = 60.0
# A table that there is not yet, and one whose archive left us no turn.
SOON = timedelta(minutes=1)


class _BusyError(TransientError):
    """The archive left no turn; nothing is wrong."""


@dataclass(slots=True)
class _Run:
    """A run on its way."""

    claim: ClaimedCare
    began: float
    is_stopped: Callable[[], bool]
    outcome: CareOutcome = field(default_factory=CareOutcome)
    vacuumed: bool = False


class LakeCarer:
    """Cares for tables, one at a time per instance and thread. Safe beside others, here and in other processes.

    1. The table is claimed, for a bit longer than a step takes, and the claim is kept before each step.
    2. It is looked at, and what it needs is decided.
    3. Each step waits for the table's turn, so that no archive commits meanwhile, and is one commit of Delta's log.
    4. What came of it is noted, and the table is given back.

    A crash anywhere leaves the table whole, and what was not done to the next run, after the claim has run out.

    Args:
        monotonic: Seconds that never step.
        every: How often a table is looked at.
        step_seconds: How long a step takes at most.
    """

    def __init__(
        self,
        work: LakeCareWork,
        tables: LakeTableCare,
        policy: CarePolicy,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        every: timedelta,
        step_seconds: float,
        metrics: LakeCareMetrics | None = None,
    ) -> None:
        self._work = work
        self._tables = tables
        self._policy = policy
        self._now = now
        self._monotonic = monotonic
        self._every = every
        self._step_seconds = step_seconds
        self._claim_seconds = step_seconds + TURN_WAIT_SECONDS + MARGIN_SECONDS
        self._metrics = metrics or LakeCareMetrics()

    def preview(self, tenant_id: str, pipeline_id: int) -> tuple[TableShape, CarePlan, int] | None:
        """Return a table, what it needs, and how many files would be deleted; None: there is no table yet.

        Raises:
            TransientError: The lake does not answer, or not in time.
        """
        shape = self._tables.look(tenant_id, pipeline_id, is_stopped=lambda: False)
        if shape is None:
            return None
        deletable = self._vacuum(tenant_id, pipeline_id, dry_run=True, is_stopped=lambda: False)
        return shape, plan_care(shape, self._policy, self._now(), None), deletable

    def run_due(self, tenant_id: str, pipeline_id: int, is_stopped: Callable[[], bool]) -> CareOutcome | None:
        """Care for a table that is due; None: another process does, or there was nothing to do.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        claim = self._work.claim(tenant_id, pipeline_id, seconds=self._claim_seconds, only_due=True)
        return None if claim is None else self._run(claim, CareCause.SCHEDULE, "", is_stopped)

    def run_requested(
        self, tenant_id: str, pipeline_id: int, *, requested_by: str, is_stopped: Callable[[], bool]
    ) -> CareOutcome | None:
        """Care for a table now, whether or not it is due; None: there was nothing to do.

        Raises:
            ConflictError: Another process does, or nothing was written to it yet.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        claim = self._work.claim(tenant_id, pipeline_id, seconds=self._claim_seconds, only_due=False)
        if claim is None:
            raise ConflictError(
                f"the table of pipeline {pipeline_id} is being cared for, or nothing was written to it yet; "
                f"`sentinel lake care --pipeline {pipeline_id}` says which"
            )
        return self._run(replace(claim, vacuumed_at=None), CareCause.REQUEST, requested_by, is_stopped)

    def _run(
        self, claim: ClaimedCare, cause: CareCause, requested_by: str, is_stopped: Callable[[], bool]
    ) -> CareOutcome | None:
        run = _Run(claim, self._monotonic(), is_stopped)
        run_id: int | None = None
        pause = self._every
        try:
            shape = self._look(run)
            run.outcome = _seen(run.outcome, shape)
            plan = None if shape is None else plan_care(shape, self._policy, self._now(), claim.vacuumed_at)
            if shape is not None and plan is not None and not plan.is_empty:
                run_id = self._work.begin(claim, cause, requested_by, shape)
                failed = self._follow(run, plan)
                run.outcome = replace(
                    _seen(run.outcome, self._look(run)),
                    files_before=shape.file_count,
                    bytes_before=shape.size_bytes,
                )
                if failed is not None:
                    raise failed
        except _BusyError as error:
            _LOG.info("table of pipeline %d: %s", claim.pipeline_id, error.message)
            run.outcome, pause = replace(run.outcome, is_complete=False), SOON
        except Exception as error:
            if isinstance(error, TransientError) and is_stopped():
                run.outcome = replace(run.outcome, is_complete=False)
            else:
                run.outcome = replace(run.outcome, error=_told(claim, error), is_complete=False)
                if run_id is None:
                    run_id = self._work.begin(claim, cause, requested_by, None)
                pause = retry_after(claim.failure_count + 1)
        if not run.outcome.is_complete and run.outcome.error is None:
            pause = min(pause, SOON)
        if is_stopped():
            # Whoever goes on need not wait.
            pause = timedelta()
        self._work.end(claim, run_id, run.outcome, next_in_seconds=pause.total_seconds(), vacuumed=run.vacuumed)
        if run_id is None and run.outcome.error is None:
            return None
        self._metrics.ran(run.outcome, self._monotonic() - run.began)
        if run.outcome.error is None:
            _LOG.info(
                "cared for the lake of pipeline %d: %d files became %d, %d were deleted; it has %d",
                claim.pipeline_id,
                run.outcome.merged_files,
                run.outcome.written_files,
                run.outcome.deleted_files,
                run.outcome.files_after,
            )
        return run.outcome

    def _follow(self, run: _Run, plan: CarePlan) -> TransientError | None:
        """Do what a plan says, one step after the other; return why a date could not be merged, if one could not."""
        failed: TransientError | None = None
        if plan.properties:
            self._step(run, partial(self._set_properties, run, plan))
        for compaction in plan.compactions:
            if run.is_stopped() or self._monotonic() - run.began >= RUN_SECONDS:
                run.outcome = replace(run.outcome, is_complete=False)
                return failed
            try:
                merged = self._step(run, partial(self._compact, run, compaction))
            except (_BusyError, StoreUnavailableError):
                raise
            except TransientError as error:
                if run.is_stopped():
                    raise
                # A date that takes too long does not hold up the others, nor the vacuum.
                failed = failed or TransientError(f"{compaction.day}: {error.message}")
                continue
            run.outcome = replace(
                run.outcome,
                merged_files=run.outcome.merged_files + merged.merged_files,
                written_files=run.outcome.written_files + merged.written_files,
            )
        if plan.vacuum:
            vacuum = partial(self._vacuum, run.claim.tenant_id, run.claim.pipeline_id, is_stopped=run.is_stopped)
            # Looking needs no turn, and most often there is nothing.
            self._keep(run)
            deleted = vacuum(dry_run=True)
            if deleted:
                deleted = self._step(run, partial(vacuum, dry_run=False))
            run.outcome = replace(run.outcome, deleted_files=deleted)
            run.vacuumed = True
        self._keep(run)
        return failed

    def _look(self, run: _Run) -> TableShape | None:
        return self._tables.look(run.claim.tenant_id, run.claim.pipeline_id, is_stopped=run.is_stopped)

    def _set_properties(self, run: _Run, plan: CarePlan) -> None:
        self._tables.set_properties(run.claim.tenant_id, run.claim.pipeline_id, plan, is_stopped=run.is_stopped)

    def _compact(self, run: _Run, compaction: Compaction) -> Merged:
        return self._tables.compact(run.claim.tenant_id, run.claim.pipeline_id, compaction, is_stopped=run.is_stopped)

    def _vacuum(self, tenant_id: str, pipeline_id: int, *, dry_run: bool, is_stopped: Callable[[], bool]) -> int:
        hours = self._policy.retention / timedelta(hours=1)
        return self._tables.vacuum(
            tenant_id, pipeline_id, retention_hours=hours, dry_run=dry_run, is_stopped=is_stopped
        )

    def _keep(self, run: _Run) -> None:
        """Keep the claim for a step from now.

        Raises:
            ConflictError: It was lost: this process stood still for long, and another cares for the table.
        """
        if not self._work.keep(run.claim, seconds=self._claim_seconds):
            raise ConflictError("another process has taken the table over")

    def _step(self, run: _Run, step: Callable[[], _T]) -> _T:
        """Do one step in the table's turn.

        Raises:
            ConflictError: The claim was lost.
        """
        self._keep(run)
        seconds = self._step_seconds + MARGIN_SECONDS
        with self._work.turn(
            run.claim, seconds=seconds, wait_seconds=TURN_WAIT_SECONDS, is_stopped=run.is_stopped
        ) as is_ours:
            if not is_ours:
                raise _BusyError("its archive commits without a pause; care waits")
            return step()


def _seen(outcome: CareOutcome, shape: TableShape | None) -> CareOutcome:
    if shape is None:
        return outcome
    return replace(
        outcome,
        files_before=shape.file_count,
        bytes_before=shape.size_bytes,
        files_after=shape.file_count,
        bytes_after=shape.size_bytes,
    )


def _told(claim: ClaimedCare, error: Exception) -> str:
    """Log why a run failed, and return what its tenant may read of it: no address of the installation."""
    where = (claim.pipeline_id, claim.tenant_id)
    if isinstance(error, StoreUnavailableError):
        _LOG.warning("care of the lake of pipeline %d of tenant %s: %s", *where, error.message)
        return f"{error.store}'s store is away or refuses us; the worker's log says more"
    if isinstance(error, SentinelError):
        _LOG.warning("care of the lake of pipeline %d of tenant %s: %s", *where, error.message)
        return error.message
    _LOG.error("care of the lake of pipeline %d of tenant %s failed", *where, exc_info=error)
    return f"an unexpected error ({type(error).__name__}); the worker's log says more"
