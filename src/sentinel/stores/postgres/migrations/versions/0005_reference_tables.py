"""Keep lists (reference tables) in versions, and which of them rules read."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
