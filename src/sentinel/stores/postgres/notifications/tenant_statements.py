"""Named statements that are run as one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, LiteralString

from sentinel.stores.postgres.database import Connection, Row


class TenantStatements:
    """Runs statements of one file in the transaction of a tenant, each with `tenant_id` among its parameters."""

    statements: ClassVar[Mapping[str, LiteralString]]

    def __init__(self, connection: Connection, tenant_id: str) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    def _rows(self, statement: str, **parameters: Any) -> list[Row]:
        named = {"tenant_id": self._tenant_id, **parameters}
        return self._connection.execute(self.statements[statement], named).fetchall()

    def _run(self, statement: str, **parameters: Any) -> int:
        """Return how many rows it touched."""
        named = {"tenant_id": self._tenant_id, **parameters}
        return self._connection.execute(self.statements[statement], named).rowcount
