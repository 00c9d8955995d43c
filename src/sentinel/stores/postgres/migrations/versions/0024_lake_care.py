"""Care of the lake: whose turn it is to commit to a table, who merges its files, and what came of it."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs. Jobs of the old code take no turns: let none run
    beside a worker of the new code whose lake is on S3.
    """
    run_sql_beside(__file__)
