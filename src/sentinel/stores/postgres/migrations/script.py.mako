"""${message}"""

from sentinel.stores.postgres.migrations.plain_sql import run_sql_beside

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Run the SQL file beside this one. Say here whether it is safe before the new code runs, or only after."""
    run_sql_beside(__file__)
