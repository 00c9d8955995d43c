"""Scheduled detectors: their definitions, runs and anomalies, and what they read of webhooks."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
