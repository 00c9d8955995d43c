"""Audit entries in PostgreSQL, where the application may add and read them, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from psycopg.types.json import Jsonb

from sentinel.domain.audit import AuditEntry, AuditFilter
from sentinel.stores.postgres.database import Connection
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("audit")


class PostgresAudit:
    """The audit entries of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        *,
        actor: str,
        action: str,
        object_type: str,
        object_id: int,
        object_name: str,
        pipeline_id: int | None,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        comment: str,
    ) -> None:
        """Write an entry."""
        self._connection.execute(
            _SQL["add"],
            {
                "actor": actor,
                "action": action,
                "object_type": object_type,
                "object_id": object_id,
                "object_name": object_name,
                "pipeline_id": pipeline_id,
                "before": None if before is None else Jsonb(dict(before)),
                "after": None if after is None else Jsonb(dict(after)),
                "comment": comment,
            },
        )

    def page(self, wanted: AuditFilter, *, before: int | None, limit: int) -> list[AuditEntry]:
        """Return entries, newest first, from before the entry `before` on."""
        rows = self._connection.execute(_SQL["page"], {**asdict(wanted), "before_id": before, "limit": limit})
        return [AuditEntry(**row) for row in rows]
