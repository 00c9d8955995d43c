"""Settings -> queries over the lake. Apart from `wiring`: the API runs them, jobs do not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sentinel.errors import RateLimitedError, StoreUnavailableError
from sentinel.settings import Settings
from sentinel.stores.lake.query import QueryLimits, QueryResult, run_query

_LOG = logging.getLogger(__name__)


class LakeQueries:
    """Runs queries that somebody asks for: one of a tenant at a time, and few at once.

    Each takes a process with memory of its own, and one of the API's threads for as long as it runs. The places are
    those of this process: another one of the API has as many.
    """

    def __init__(self, settings: Settings) -> None:
        self._lake = settings.lake
        self._limits = settings.lake_query
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def run(self, tenant_id: str, sql: str, tables: Mapping[str, int], *, rows: int) -> QueryResult:
        """Run one SELECT over the tables of a tenant.

        Args:
            tables: Table name -> pipeline id, those of the tenant alone.
            rows: At most so many are answered.

        Raises:
            InvalidError: The query goes beyond a limit.
            InvalidQueryError: It cannot run.
            NotFoundError: A table it names is not in the lake yet.
            RateLimitedError: Another one of the tenant runs, or as many as may.
            StoreUnavailableError: The lake does not answer.
        """
        limits = QueryLimits(
            timeout_seconds=self._limits.seconds,
            rows=rows,
            memory_mib=self._limits.memory_mib,
            threads=1,
            answer_bytes=self._limits.answer_bytes,
            # Detection goes first.
            niceness=10,
        )
        with self._place(tenant_id):
            try:
                return run_query(self._lake, tenant_id, sql, tables, limits)
            except StoreUnavailableError as error:
                _LOG.warning("a query over the lake: %s", error.message)
                raise StoreUnavailableError("the lake", "its store is away or refuses us; the log says more") from None

    @contextmanager
    def _place(self, tenant_id: str) -> Iterator[None]:
        with self._lock:
            if tenant_id in self._busy:
                raise RateLimitedError(
                    "another query of this tenant is running; wait until it has ended", retry_after_seconds=2
                )
            if len(self._busy) >= self._limits.at_once:
                raise RateLimitedError(
                    f"{self._limits.at_once} queries over the lake are running, as many as may be at a time; try again "
                    "soon",
                    retry_after_seconds=5,
                )
            self._busy.add(tenant_id)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(tenant_id)
