"""Keep rules in the short form, their actions, and why a version was made."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
