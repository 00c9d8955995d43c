"""SQL of tenants' own, over PostgreSQL or the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel.domain.detector import Window
from sentinel.domain.detector_query import MAX_QUERY_SECONDS, QueryStore, with_window
from sentinel.settings import LakeSettings
from sentinel.stores.lake.names import table_names
from sentinel.stores.lake.query import QueryLimits, check_query, run_query
from sentinel.stores.postgres.database import Connection, Database
from sentinel.stores.postgres.detector_reader import QueryRunner
from sentinel.stores.postgres.own_sql import check_own_sql, run_own_sql
from sentinel.stores.postgres.pipelines import PostgresPipelines


class DetectorQueries:
    """Runs them as their tenant.

    Args:
        seconds: How long one may take. Below the 60 s after which PostgreSQL ends the transaction that waits for it.
    """

    def __init__(self, database: Database, lake: LakeSettings, *, seconds: float = MAX_QUERY_SECONDS) -> None:
        self._database = database
        self._lake = lake
        self._seconds = seconds

    def of(self, tenant_id: str) -> Mapping[str, QueryRunner]:
        """Return what runs queries of a tenant, by store."""
        return {
            QueryStore.POSTGRES.value: lambda sql, window, rows: run_own_sql(
                self._database, tenant_id, with_window(sql, window), rows=rows, seconds=self._seconds
            ),
            QueryStore.LAKE.value: lambda sql, window, rows: self._over_lake(tenant_id, sql, window, rows),
        }

    def _over_lake(self, tenant_id: str, sql: str, window: Window, rows: int) -> Sequence[dict[str, Any]]:
        with self._database.transaction(tenant_id) as connection:
            pipelines = [(pipeline.id, pipeline.name) for pipeline in PostgresPipelines(connection).list()]
        limits = QueryLimits(timeout_seconds=self._seconds, rows=rows)
        result = run_query(self._lake, tenant_id, with_window(sql, window), table_names(pipelines, None), limits)
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


class DetectorQueryCheck:
    """Judges SQL of a tenant's own in the tenant's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, store: str, sql: str) -> None:
        """Judge a query without running it.

        Raises:
            InvalidError: It may not be run; the message says why.
        """
        # Any window does: its bounds are of one type.
        text = with_window(sql, Window(_ANY_START, _ANY_START + timedelta(hours=1)))
        if store == QueryStore.POSTGRES.value:
            check_own_sql(self._connection, text)
        else:
            check_query(text)


_ANY_START = datetime(2000, 1, 1, tzinfo=UTC)
