"""Run a migration's SQL file as it is."""

from __future__ import annotations

from pathlib import Path

from alembic import op


def run_sql_beside(migration_file: str) -> None:
    """Run the `.sql` file of the same name in the migration's transaction.

    Straight on the driver's connection: the text may hold many statements, and `%` and `:` mean themselves.
    """
    text = Path(migration_file).with_suffix(".sql").read_text()
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise RuntimeError("the migration has no database connection")
    driver.execute(text)
