"""Create the schema: tenants, configuration, ledger, findings and the views."""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file beside this one. Safe before the new code runs."""
    run_sql_beside(__file__)
