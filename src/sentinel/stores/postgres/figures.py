"""Figures of pipelines, from PostgreSQL."""

from __future__ import annotations

from sentinel.domain.figures import ChannelFigures, PipelineFigures, TenantFigures
from sentinel.stores.postgres.database import Connection, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("figures")
# What waits is counted no further: a scrape must not read millions of rows to say that they are many.
MOST_COUNTED = 100_000


class PostgresFigures:
    """The figures of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pipelines(self) -> list[PipelineFigures]:
        """Return every pipeline's figures."""
        return [PipelineFigures(**row) for row in self._connection.execute(_SQL["pipelines"])]

    def tenant(self) -> TenantFigures:
        """Return what waits in the tenant."""
        bound = {"most": MOST_COUNTED}
        row = required(self._connection.execute(_SQL["tenant"], bound).fetchone())
        channels = tuple(ChannelFigures(**each) for each in self._connection.execute(_SQL["channels"], bound))
        return TenantFigures(**row, channels=channels)
