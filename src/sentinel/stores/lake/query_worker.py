"""The process of one lake query: reads a request from standard input, writes the answer to standard output.

Order, and why: (1) the kernel's limits, before anything of the tenant is looked at; (2) the statement is checked by
its syntax tree, which is all that is done where only that is asked for; (3) the tables it names are opened by
deltalake; (4) DuckDB, without access to files, network, extensions or Python variables and with its settings locked,
runs the statement over them.

Answer: one JSON object per line: `columns`, any number of `rows`, then `end`; or `error` at any point. What an error
says names no address and no key.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, BinaryIO
from uuid import UUID

import duckdb
import orjson

from sentinel.clock import monotonic_seconds
from sentinel.errors import InvalidQueryError
from sentinel.stores.lake.query_errors import first_lines, hidden, names_a_place, position_of
from sentinel.stores.lake.query_guard import tables_of

# Few, since one value may be large: what is fetched is in memory before it is counted.
ROWS_PER_LINE = 50
PROCESS_MIB = 1_536
# Tables that the answer to a wrong name lists.
MOST_NAMED = 40
# The lake must not hold up the caller for the minutes that the client would go on trying.
_CLIENT_OPTIONS = {"connect_timeout": "3s", "timeout": "20s", "max_retries": "2", "retry_timeout": "8s"}
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class _RefusedError(Exception):
    """The query ends with this answer."""

    def __init__(self, slug: str, message: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.position = position


def main() -> None:
    """Answer one request."""
    output = sys.stdout.buffer
    request: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    set_limits(request)
    try:
        answer(request, output)
    except _RefusedError as refused:
        write_error(output, refused.slug, hidden(refused.message, request), refused.position)
    except InvalidQueryError as error:
        write_error(output, "invalid", error.message, error.position)
    except RecursionError:
        write_error(output, "invalid", "the query is nested too deeply")
    except MemoryError:
        write_error(output, "memory")
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
    os.nice(request["niceness"])


def answer(request: dict[str, Any], output: BinaryIO) -> None:
    """Run the query and write its rows."""
    started = monotonic_seconds()
    connection = connect(request["memory_mib"], request["threads"])
    names = tables_of(connection, request["sql"])
    if request.get("only_check"):
        write(output, {"kind": "columns", "columns": [], "types": []})
        write(output, {"kind": "end", "cut_by": "", "seconds": round(monotonic_seconds() - started, 3)})
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
        cut_by = run(connection, request["sql"], request["rows"], request["answer_bytes"], output)
    except duckdb.InterruptException as error:
        raise _RefusedError("timeout") from error
    except duckdb.OutOfMemoryException as error:
        raise _RefusedError("memory") from error
    except duckdb.CatalogException as error:
        more = f" and {len(tables) - MOST_NAMED} more" if len(tables) > MOST_NAMED else ""
        known = (", ".join(sorted(tables)[:MOST_NAMED]) or "none yet") + more
        text = f"{first_lines(error)} Tables of this tenant: {known}"
        raise _RefusedError("invalid", text, position_of(error, request["sql"])) from error
    except duckdb.PermissionException as error:
        text = "files and addresses cannot be read here, only the tables of this tenant"
        raise _RefusedError("invalid", text, position_of(error, request["sql"])) from error
    except duckdb.Error as error:
        text = first_lines(error)
        if "S3 error" in text or names_a_place(text, request):
            raise _RefusedError("unavailable", text) from error
        raise _RefusedError("invalid", text, position_of(error, request["sql"])) from error
    except (OverflowError, TypeError, ValueError) as error:
        # Such as one that is nested deeper than JSON is written.
        raise _RefusedError("invalid", f"a value cannot be answered: {error}; CAST it to VARCHAR") from error
    finally:
        interrupt.cancel()
    write(output, {"kind": "end", "cut_by": cut_by, "seconds": round(monotonic_seconds() - started, 3)})


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
    # Loading these takes most of the process's start; a query that is refused does without.
    from deltalake import DeltaTable  # noqa: PLC0415
    from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415

    try:
        return DeltaTable(uri, storage_options={**_CLIENT_OPTIONS, **options} if options else None).to_pyarrow_dataset()
    except TableNotFoundError as error:
        raise _RefusedError(
            "not-found", f"the lake holds nothing for {name!r} yet: its job has not archived"
        ) from error
    except (DeltaError, OSError) as error:
        raise _RefusedError("unavailable", first_lines(error)) from error


def run(connection: duckdb.DuckDBPyConnection, sql: str, limit: int, most_bytes: int, output: BinaryIO) -> str:
    """Execute and write rows; returns what cut them: "rows" or "bytes", or nothing when these are all."""
    result = connection.execute(sql)
    columns = result.description or []
    write(
        output,
        {"kind": "columns", "columns": [column[0] for column in columns], "types": [str(c[1]) for c in columns]},
    )
    left = limit
    while left > 0 and (rows := result.fetchmany(min(ROWS_PER_LINE, left))):
        encoded: list[bytes] = []
        for row in rows:
            encoded.append(orjson.dumps([plain(value) for value in row]))
            most_bytes -= len(encoded[-1])
            if most_bytes < 0:
                write_rows(output, encoded[:-1])
                return "bytes"
        write_rows(output, encoded)
        left -= len(rows)
    return "rows" if left == 0 and result.fetchone() is not None else ""


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


def write(output: BinaryIO, item: dict[str, Any]) -> None:
    """Write one line of the answer."""
    output.write(orjson.dumps(item) + b"\n")


def write_rows(output: BinaryIO, rows: Sequence[bytes]) -> None:
    """Write one line of rows that are JSON already."""
    output.write(b'{"kind":"rows","rows":[' + b",".join(rows) + b"]}\n")


def write_error(output: BinaryIO, slug: str, message: str = "", position: int | None = None) -> None:
    """Write why there is no answer, or no more of it."""
    write(output, {"kind": "error", "slug": slug, "message": message, "position": position})


if __name__ == "__main__":
    main()
