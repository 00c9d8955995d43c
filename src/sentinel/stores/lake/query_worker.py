"""The process of one lake query: reads a request from standard input, writes the answer to standard output.

Order, and why: (1) the kernel's limits, before anything of the tenant is looked at; (2) the statement is checked by
its syntax tree, which is all that is done where only that is asked for; (3) the tables it names are opened by
deltalake; (4) DuckDB, without access to files, network, extensions or Python variables and with its settings locked,
runs the statement over them.

Answer: one JSON object per line: `columns`, any number of `rows`, then `end`; or `error` at any point.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import threading
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO
from uuid import UUID

import duckdb
import orjson
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from sentinel.clock import monotonic_seconds
from sentinel.errors import InvalidError
from sentinel.stores.lake.query_guard import tables_of

ROWS_PER_LINE = 1_000
PROCESS_MIB = 1_536
# The lake must not hold up the caller for the minutes that the client would go on trying.
_CLIENT_OPTIONS = {"connect_timeout": "3s", "timeout": "20s", "max_retries": "2", "retry_timeout": "8s"}
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class _RefusedError(Exception):
    """The query ends with this answer."""

    def __init__(self, slug: str, message: str = "") -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message


def main() -> None:
    """Answer one request."""
    output = sys.stdout.buffer
    request: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    set_limits(request)
    try:
        answer(request, output)
    except _RefusedError as refused:
        write(output, {"kind": "error", "slug": refused.slug, "message": refused.message})
    except InvalidError as error:
        write(output, {"kind": "error", "slug": "invalid", "message": error.message})
    except MemoryError:
        write(output, {"kind": "error", "slug": "memory", "message": ""})
    output.flush()
    # Nothing is left to be done. Taking the libraries' threads down can end in an abort on a busy machine.
    os._exit(0)


def set_limits(request: dict[str, Any]) -> None:
    """Let the kernel end this process when it takes too long or too much, and keep it from writing files."""
    # SIGALRM's default action ends the process inside any library call, and also when the parent is gone.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, request["timeout_seconds"] + request["grace_seconds"])
    size = (PROCESS_MIB + request["memory_mib"]) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer(request: dict[str, Any], output: BinaryIO) -> None:
    """Run the query and write its rows."""
    started = monotonic_seconds()
    connection = connect(request["memory_mib"], request["threads"])
    names = tables_of(connection, request["sql"])
    if request.get("only_check"):
        write(output, {"kind": "columns", "columns": [], "types": []})
        write(output, {"kind": "end", "is_cut": False, "seconds": round(monotonic_seconds() - started, 3)})
        return
    tables: dict[str, str] = request["tables"]
    for name in sorted(names & set(tables)):
        connection.register(name, open_table(name, tables[name], request["storage_options"]))
    # Registering is done: from here on nothing can be opened, and nothing of this can be undone.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    left = request["timeout_seconds"] - (monotonic_seconds() - started)
    interrupt = threading.Timer(max(0.0, left), connection.interrupt)
    interrupt.daemon = True
    interrupt.start()
    try:
        is_cut = run(connection, request["sql"], request["rows"], output)
    except duckdb.InterruptException as error:
        raise _RefusedError("timeout") from error
    except duckdb.OutOfMemoryException as error:
        raise _RefusedError("memory") from error
    except duckdb.CatalogException as error:
        known = ", ".join(sorted(tables)) or "none yet"
        raise _RefusedError("invalid", f"{first_lines(error)} Tables of this tenant: {known}") from error
    except duckdb.Error as error:
        text = first_lines(error)
        raise _RefusedError("unavailable" if "S3 error" in text else "invalid", text) from error
    finally:
        interrupt.cancel()
    write(output, {"kind": "end", "is_cut": is_cut, "seconds": round(monotonic_seconds() - started, 3)})


def connect(memory_mib: int, threads: int) -> duckdb.DuckDBPyConnection:
    """Open an empty database in memory that reaches nothing outside of it."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory_mib}MiB",
            "threads": str(threads),
            "temp_directory": "",
            "secret_directory": "",
            "extension_directory": "",
            "allow_persistent_secrets": "false",
            "allow_community_extensions": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # Else `SELECT * FROM request` would read this module's variables.
            "python_enable_replacements": "false",
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def open_table(name: str, uri: str, options: dict[str, str]) -> Any:
    """Open a Delta table as an Arrow dataset, whose files are read as the query needs them."""
    try:
        return DeltaTable(uri, storage_options={**_CLIENT_OPTIONS, **options} if options else None).to_pyarrow_dataset()
    except TableNotFoundError as error:
        raise _RefusedError(
            "not-found", f"the lake holds nothing for {name!r} yet: its job has not archived"
        ) from error
    except (DeltaError, OSError) as error:
        raise _RefusedError("unavailable", first_lines(error)) from error


def run(connection: duckdb.DuckDBPyConnection, sql: str, limit: int, output: BinaryIO) -> bool:
    """Execute and write at most `limit` rows; returns whether there are more."""
    result = connection.execute(sql)
    columns = result.description or []
    write(
        output,
        {"kind": "columns", "columns": [column[0] for column in columns], "types": [str(c[1]) for c in columns]},
    )
    left = limit
    while left > 0 and (rows := result.fetchmany(min(ROWS_PER_LINE, left))):
        write(output, {"kind": "rows", "rows": [[plain(value) for value in row] for row in rows]})
        left -= len(rows)
    return left == 0 and result.fetchone() is not None


def plain(value: Any) -> Any:  # noqa: PLR0911 - one case per type
    """Turn a value into what JSON has, without loss: what JSON has no word for becomes text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if _SMALLEST <= value <= _LARGEST else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case Decimal() | UUID() | timedelta():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode(errors="backslashreplace")
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return str(value)


def first_lines(error: Exception) -> str:
    """Return what an error says, without the drawing of the place below it."""
    text = str(error).split("\n\n")[0].strip()
    return " ".join(line.strip() for line in text.splitlines())


def write(output: BinaryIO, item: dict[str, Any]) -> None:
    """Write one line of the answer."""
    output.write(orjson.dumps(item) + b"\n")


if __name__ == "__main__":
    main()
