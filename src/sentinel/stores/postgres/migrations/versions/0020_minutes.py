"""Figures over time: what was decided and raised in each minute."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs; what jobs of the old code decide is not counted.

    It waits for transactions that write alerts, and they for it: some seconds with millions of alerts of eight days.
    """
    run_sql_beside(__file__)
