"""Engine tasks, which a rule worker does; tests beside rules; the evidence of an alert."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0006"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
