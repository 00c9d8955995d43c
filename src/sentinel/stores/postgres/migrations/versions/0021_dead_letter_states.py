"""Dead letters have states, and may be sent again."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs: jobs insert dead letters as before. On a table
    of a million dead letters its two indexes take seconds, during which jobs wait with their commits.
    """
    run_sql_beside(__file__)
