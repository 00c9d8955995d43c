"""Figures of pipelines, from PostgreSQL."""

from __future__ import annotations

from sentinel.domain.figures import PipelineFigures
from sentinel.stores.postgres.database import Connection
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("figures")


class PostgresFigures:
    """The figures of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pipelines(self) -> list[PipelineFigures]:
        """Return every pipeline's figures."""
        return [PipelineFigures(**row) for row in self._connection.execute(_SQL["pipelines"])]
