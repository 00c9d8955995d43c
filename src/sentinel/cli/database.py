"""`sentinel db-shell`."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from sentinel.cli.output import say
from sentinel.errors import StoreUnavailableError
from sentinel.settings import Settings
from sentinel.stores.postgres.database import first_line

_SEARCH_PATH = "public, sentinel"
_DESCRIBE = """
SELECT schemaname AS schema, tablename AS name, 'table' AS kind FROM pg_tables
WHERE schemaname IN ('sentinel', 'public')
UNION ALL SELECT schemaname, viewname, 'view' FROM pg_views WHERE schemaname = 'public' ORDER BY 1, 2
"""
_HELP = "End a statement with a semicolon. \\d lists tables, \\q ends."


def db_shell(
    command: Annotated[str | None, typer.Option("--command", "-c", help="Run this and end.")] = None,
    own: Annotated[bool, typer.Option("--own-client", help="Use the built-in client even where psql is.")] = False,
) -> None:
    """Open psql as the owner role, with the tenant set; without psql a small client of our own."""
    settings = Settings.load()
    psql = None if own else shutil.which("psql")
    if psql:
        postgres = settings.postgres
        environment = {
            **os.environ,
            "PGHOST": postgres.host,
            "PGPORT": str(postgres.port),
            "PGDATABASE": postgres.database,
            "PGUSER": postgres.owner_user,
            "PGPASSWORD": postgres.owner_password.get_secret_value(),
            "PGOPTIONS": f"-c app.tenant_id={settings.tenant} -c search_path=public,sentinel",
        }
        os.execve(psql, [psql, *(["-c", command] if command else [])], environment)  # noqa: S606 - its purpose
    try:
        with psycopg.connect(settings.postgres.conninfo("owner"), autocommit=True) as connection:
            connection.execute("SELECT set_config('app.tenant_id', %s, false)", (settings.tenant,))
            connection.execute(f"SET search_path = {_SEARCH_PATH}")
            if command:
                run_statement(connection, command, Console())
            else:
                _converse(connection)
    except psycopg.OperationalError as error:
        raise StoreUnavailableError("PostgreSQL", first_line(error)) from error


def run_statement(connection: psycopg.Connection[Any], statement: str, console: Console) -> None:
    """Run one statement and print its rows as a table; a refused one prints the server's complaint."""
    try:
        cursor = connection.execute(statement.encode())
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        console.print(f"error: {str(error).strip()}", style="red", markup=False)
        return
    if cursor.description is None:
        console.print(cursor.statusmessage or "done", markup=False)
        return
    table = Table(*(column.name for column in cursor.description))
    for row in cursor:
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)
    console.print(f"({cursor.rowcount} rows)", markup=False)


def _converse(connection: psycopg.Connection[Any]) -> None:
    console = Console()
    if sys.stdin.isatty():
        say(f"psql is not installed; this is Sentinel's own client. {_HELP}")
    pending = ""
    while True:
        try:
            line = input(("sentinel-> " if pending else "sentinel=> ") if sys.stdin.isatty() else "")
        except EOFError:
            return
        except KeyboardInterrupt:
            pending = ""
            print()
            continue
        word = line.strip()
        if not pending and word in {"\\q", "exit", "quit"}:
            return
        if not pending and word in {"\\d", "\\dt"}:
            run_statement(connection, _DESCRIBE, console)
        elif not pending and word in {"\\?", "\\h", "help"}:
            console.print(_HELP, markup=False)
        else:
            pending += line + "\n"
            if word.endswith(";"):
                run_statement(connection, pending, console)
                pending = ""
