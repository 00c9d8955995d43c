"""Reconciliation inside tests."""

from __future__ import annotations

import json

from sentinel.stores.postgres.database import Database
from sentinel.streaming.query.session import build_session
from sentinel.streaming.reconcile import ReconcileReport, reconcile
from tests.support.detection import Workbench


def assert_reconciled(bench: Workbench, pipeline_id: int) -> ReconcileReport:
    """Fail unless nothing of the pipeline is lost or doubled, and everything is decided and archived."""
    database = Database(bench.settings.postgres, pool_size=1)
    database.open()
    try:
        # The first call starts the session, the others get the same one.
        spark = build_session(bench.settings, app_name="proof", master="local[2]", extra={"spark.ui.enabled": "false"})
        report = reconcile(bench.settings, database, spark, bench.tenant_id, pipeline_id)
    finally:
        database.close()
    assert report.ok, json.dumps(report.as_json(), indent=2)
    assert (report.not_decided, report.not_archived) == (0, 0)
    return report
