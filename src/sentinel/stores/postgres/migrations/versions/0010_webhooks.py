"""Sources of signed webhooks, their events, conflicts and refused attempts."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
