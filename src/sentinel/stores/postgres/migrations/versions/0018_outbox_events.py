"""What the outbox may say of alerts."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
