"""Give rules names and states, and keep mutes, scorecards, decisions and audit entries."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL file beside this one. Only after the old code is gone: it adds rules without a name."""
    run_sql_beside(__file__)
