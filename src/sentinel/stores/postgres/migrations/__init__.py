"""Alembic migrations: plain SQL, immutable once released."""
