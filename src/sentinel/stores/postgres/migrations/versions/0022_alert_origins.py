"""Which request brought an alert's event, and the trace it is part of; which tenants there are to tidy up for."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
