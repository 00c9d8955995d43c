"""Notification policies, silences, groups, deliveries and what was decided."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
