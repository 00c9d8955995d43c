"""Answers of writes by idempotency key, in PostgreSQL."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from sentinel.stores.base import StoredAnswer
from sentinel.stores.postgres.database import Connection
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("answers")


class PostgresAnswers:
    """The kept answers of the transaction's tenant. They live for a week."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, key: str) -> StoredAnswer | None:
        """Return the answer kept under the key, after waiting for a request that has it in hand."""
        self._connection.execute(_SQL["lock"], {"key": key})
        row = self._connection.execute(_SQL["get"], {"key": key}).fetchone()
        return StoredAnswer(**row) if row else None

    def keep(self, key: str, answer: StoredAnswer) -> None:
        """Keep an answer, and forget those that are too old."""
        self._connection.execute(_SQL["forget_old"])
        self._connection.execute(
            _SQL["keep"],
            {
                "key": key,
                "request_hash": answer.request_hash,
                "status": answer.status,
                "headers": Jsonb(answer.headers),
                "body": Jsonb(answer.body),
            },
        )
