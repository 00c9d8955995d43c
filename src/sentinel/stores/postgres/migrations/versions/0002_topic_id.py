"""Keep Kafka's id of the topic that is read."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
