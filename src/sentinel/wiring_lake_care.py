"""Settings -> stores -> what cares for the lake. Apart from `wiring`: jobs do not, the worker does."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import timedelta

from sentinel.batch.lake_care.carer import LakeCarer
from sentinel.batch.lake_care.loop import LakeCareLoop
from sentinel.batch.lake_care.metrics import LakeCareMetrics
from sentinel.clock import monotonic_seconds, utc_now
from sentinel.domain.lake_care import CarePolicy
from sentinel.settings import LakeCareSettings, Settings
from sentinel.stores.lake.care import DeltaTableCare
from sentinel.stores.postgres.lake_care import PostgresLakeCareWork
from sentinel.wiring import Backend
from sentinel.wiring_worker import WorkerTelemetry


def build_loop(settings: Settings, backend: Backend, telemetry: WorkerTelemetry) -> LakeCareLoop:
    """Build the loop that cares for the tables of all tenants."""
    work = _work(backend)
    return LakeCareLoop(
        work,
        _carer(settings, work, telemetry.lake_care),
        is_on=settings.lake_care.every_minutes > 0,
        beat=telemetry.pulse(LakeCareLoop.name).beat,
    )


def build_carer(settings: Settings, backend: Backend) -> LakeCarer:
    """Build what cares for one table at a time."""
    return _carer(settings, _work(backend), None)


def policy_of(settings: LakeCareSettings) -> CarePolicy:
    """Return when files are merged and deleted."""
    return CarePolicy(
        min_files=settings.min_files,
        target_bytes=settings.target_mib * 1024 * 1024,
        retention=timedelta(hours=settings.retention_hours),
        vacuum_every=timedelta(hours=settings.vacuum_hours),
    )


def _work(backend: Backend) -> PostgresLakeCareWork:
    return PostgresLakeCareWork(backend.database, f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex}")


def _carer(settings: Settings, work: PostgresLakeCareWork, metrics: LakeCareMetrics | None) -> LakeCarer:
    care = settings.lake_care
    tables = DeltaTableCare(
        settings.lake,
        step_seconds=care.step_seconds,
        memory_mib=care.memory_mib,
        new_step=lambda: uuid.uuid4().hex,
    )
    return LakeCarer(
        work,
        tables,
        policy_of(care),
        now=utc_now,
        monotonic=monotonic_seconds,
        every=timedelta(minutes=care.every_minutes or 60),
        step_seconds=care.step_seconds,
        metrics=metrics,
    )
