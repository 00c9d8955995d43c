"""The configuration API: `uvicorn --factory config_api.app:create_app`."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from config_api import problems
from config_api.access import refuse_open_to_others
from config_api.metrics import MetricsMiddleware, ProcessMetrics
from config_api.middleware import BodyLimitMiddleware, RequestIdMiddleware
from config_api.openapi import DescribedApi
from config_api.routers import (
    alert_facets,
    alert_files,
    alerts,
    audit,
    backtests,
    channels,
    dead_letters,
    deliveries,
    detectors,
    event_routes,
    events,
    explain,
    figures,
    health,
    lake,
    lake_care,
    ledger,
    lifecycle,
    lists,
    me,
    metrics,
    mutes,
    notifications,
    pipelines,
    progress,
    recent_records,
    rule_outcomes,
    rule_tests,
    rules,
    schemas,
    scorecards,
    system,
    webhook_backfills,
    webhook_sources,
    webhooks,
)
from sentinel.clock import monotonic_seconds
from sentinel.domain.labels import MAX_LABEL_BYTES
from sentinel.domain.redrive import MAX_EDITED_BYTES
from sentinel.domain.webhook import MAX_BODY_BYTES
from sentinel.errors import StoreUnavailableError
from sentinel.kept import Kept
from sentinel.settings import Settings
from sentinel.telemetry.traces import begin_traces
from sentinel.wiring import Backend
from sentinel.wiring_channels import Channels
from sentinel.wiring_dead_letters import Redrives
from sentinel.wiring_detectors import RequestedRuns
from sentinel.wiring_intake import build_intake
from sentinel.wiring_lake import LakeQueries
from sentinel.wiring_system import System
from sentinel.wiring_telemetry import begin_logs
from sentinel.wiring_webhooks import Webhooks

# Routes are tried in order, and most requests are these.
ROUTED = (
    events,
    pipelines,
    schemas,
    rules,
    lifecycle,
    rule_tests,
    explain,
    backtests,
    rule_outcomes,
    lists,
    mutes,
    scorecards,
    audit,
    event_routes,
    # Before `alerts`, whose `/{alert_id}` would take `/facets` for an id.
    alert_facets,
    alert_files,
    alerts,
    detectors,
    ledger,
    progress,
    figures,
    recent_records,
    lake,
    lake_care,
    dead_letters,
    webhook_sources,
    webhook_backfills,
    webhooks,
    channels,
    notifications,
    deliveries,
    me,
    health,
    system,
    metrics,
)
LABELS_PATH = re.compile(r"/api/pipelines/\d+/labels")
EVENTS_PATH = re.compile(r"/events|/api/pipelines/\d+/events")
LETTER_PATH = re.compile(r"/api/pipelines/\d+/dead-letters/\d+/(?:check|redrive)")
WEBHOOKS_PATH = re.compile(r"/webhooks/(?:stripe|in)/[^/]+")
_LOG = logging.getLogger(__name__)

_DESCRIPTION = """
Pipelines read events from a Kafka topic and check them against rules, which change while they run.

Errors are problem documents (RFC 9457). Writes take an `Idempotency-Key`, so that repeating one is harmless, and
`If-Match` with the `ETag` of what was read, so that nobody's change is overwritten. Lists are paged by the header
`Link: <...>; rel="next"`.
"""


def create_app(settings: Settings | None = None) -> DescribedApi:
    """Build the application. PostgreSQL and Redis need not answer yet.

    Raises:
        ConfigurationError: It would serve without API keys where others reach it. On startup: the database role is
            not bound by row-level security.
    """
    chosen = settings or Settings.load()
    if settings is None:
        # As a process of its own: it logs as all others do, also what the server that runs it says.
        begin_logs(chosen, "api")
    refuse_open_to_others(chosen.api)
    backend = Backend(chosen, pool_size=chosen.api.pool_size)
    traces = begin_traces("api", os.environ)
    intake = build_intake(chosen, backend, traces)
    outbound = Channels(chosen, backend.channel_reader())
    redrives = Redrives(chosen, backend)
    inbound = Webhooks(chosen, backend.webhook_inbox(), backend.backfill_inbox())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        backend.open()
        intake.open()
        try:
            try:
                backend.check_role()
            except StoreUnavailableError as error:
                _LOG.warning("starting without PostgreSQL: %s", error)
            inbound.open()
            yield
        finally:
            intake.close()
            inbound.close()
            outbound.close()
            app.state.system.close()
            redrives.close()
            backend.close()
            traces.close()

    app = DescribedApi(
        title="Sentinel", version=_version(), description=_DESCRIPTION, lifespan=lifespan, redirect_slashes=False
    )
    app.state.backend = backend
    app.state.webhooks = inbound
    app.state.channels = outbound
    app.state.redrives = redrives
    app.state.settings = chosen
    app.state.intake = intake
    app.state.lake_queries = LakeQueries(chosen)
    app.state.detector_runs = RequestedRuns(chosen, backend)
    app.state.figures = Kept(monotonic_seconds)
    app.state.system = System(chosen, backend, intake)
    app.state.traces = traces
    app.state.metrics = ProcessMetrics.new()
    problems.install(app, app.methods_of)
    events.install(app)
    app.add_middleware(
        BodyLimitMiddleware,
        max_bytes=chosen.api.max_body_bytes,
        larger={
            ("PUT", re.compile(r"/api/lists/[^/]+/rows")): chosen.api.max_upload_bytes,
            ("POST", re.compile(r"/api/lists/[^/]+/rows/preview")): chosen.api.max_upload_bytes,
            ("POST", LABELS_PATH): MAX_LABEL_BYTES,
            ("POST", LETTER_PATH): MAX_EDITED_BYTES,
            ("POST", EVENTS_PATH): chosen.ingest.max_body_bytes,
            ("POST", WEBHOOKS_PATH): MAX_BODY_BYTES,
        },
        judged=WEBHOOKS_PATH,
    )
    app.add_middleware(RequestIdMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=app.state.metrics)
    for module in ROUTED:
        app.include_router(module.router)
    return app


def _version() -> str:
    try:
        return version("sentinel-detect")
    except PackageNotFoundError:
        return "0"
