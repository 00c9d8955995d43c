"""Alerts of which nobody did something, and deliveries by the reason of their last try, are found by indexes."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs; what old workers try since is not found by its
    reason: run no old worker after it.
    """
    run_sql_beside(__file__)
