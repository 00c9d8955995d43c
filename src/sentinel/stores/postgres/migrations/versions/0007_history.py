"""The past: labels for backtests, refills, and which alerts a refill made."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
