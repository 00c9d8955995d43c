"""A writer holds the epoch of its lease, and no longer the whole row, which a renewal changes."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run the SQL file beside this one, before the new code runs: its writers rely on it. The old code may go on."""
    run_sql_beside(__file__)
