"""Labels in PostgreSQL."""

from __future__ import annotations

from sentinel.domain.labels import Labels, LabelSet
from sentinel.stores.postgres.database import Connection, required
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("labels")


class PostgresLabels:
    """The labels of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, pipeline_id: int, name: str, labels: Labels, *, created_by: str) -> LabelSet:
        """Keep labels."""
        parameters = {
            "pipeline_id": pipeline_id,
            "name": name,
            "label_count": labels.count,
            "true_count": len(labels.true),
            "content_hash": labels.content_hash,
            "content": labels.to_bytes(),
            "created_by": created_by,
        }
        return LabelSet(**required(self._connection.execute(_SQL["add"], parameters).fetchone()))

    def list(self, pipeline_id: int) -> list[LabelSet]:
        """Return the labels of a pipeline, newest first."""
        return [LabelSet(**row) for row in self._connection.execute(_SQL["list"], {"pipeline_id": pipeline_id})]

    def content(self, pipeline_id: int, label_set_id: int) -> Labels | None:
        """Return what was uploaded; None: there are no such labels."""
        parameters = {"pipeline_id": pipeline_id, "label_set_id": label_set_id}
        row = self._connection.execute(_SQL["content"], parameters).fetchone()
        return Labels.from_bytes(bytes(row["content"])) if row else None

    def delete(self, label_set_id: int) -> bool:
        """Forget labels; whether there were any."""
        return self._connection.execute(_SQL["delete"], {"label_set_id": label_set_id}).fetchone() is not None
