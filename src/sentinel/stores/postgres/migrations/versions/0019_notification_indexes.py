"""Indexes of notifications for many rows; the group of what a delivery tells of."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs; what the old code writes since has no group, so
    escalations and repetitions of it end: run no old worker after it.
    """
    run_sql_beside(__file__)
