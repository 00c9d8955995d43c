"""SQL over a tenant's lake, in a process of its own that cannot do more than read the named tables.

DuckDB's limits alone do not hold against a hostile query: `length(repeat('x', 2000000000))` ran 24 s past an
interrupt, and `list_sum(range(3000000000))` took all memory of the machine despite `memory_limit`. The process adds
the kernel's: a timer that ends it whatever it does, and a cap on its memory.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from sentinel.errors import InvalidError, InvalidQueryError, NotFoundError, StoreUnavailableError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.location import events_uri, storage_options

# How long the process may take beyond the time limit: start, an orderly interrupt, the answer.
GRACE_SECONDS = 5.0
START_SECONDS = 10.0
MAX_ROWS = 1_000_000
WORKER = "sentinel.stores.lake.query_worker"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer of a query.

    Attributes:
        columns: Their names, as the query gives them.
        types: DuckDB's type of each column.
        rows: Values as JSON has them; times as ISO 8601 text, decimals and integers beyond 64 bits as text.
        is_cut: There are more rows than these.
        seconds: How long the query ran, without the start of the process.
        cut_by: Which limit cut them: the number of rows, or the bytes of the answer; empty where none did.
    """

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    is_cut: bool
    seconds: float
    cut_by: Literal["", "rows", "bytes"] = ""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """How much a query may use.

    Attributes:
        memory_mib: For the query; the process itself gets 1.5 GiB on top.
        answer_bytes: Of the rows as JSON.
        niceness: How much other processes go first: 0 not at all, 19 always.
    """

    timeout_seconds: float = 30.0
    rows: int = 1_000
    memory_mib: int = 512
    threads: int = 2
    answer_bytes: int = 256 * 1024 * 1024
    niceness: int = 0


def run_query(
    lake: LakeSettings,
    tenant_id: str,
    sql: str,
    tables: Mapping[str, int],
    limits: QueryLimits | None = None,
) -> QueryResult:
    """Run one SELECT over the tables of a tenant's pipelines.

    Args:
        lake: The lake.
        tenant_id: The tenant; nothing outside of its directory can be named.
        sql: The query, in DuckDB's SQL.
        tables: Table name, without regard to case -> pipeline id. Only those that the query names are opened.
        limits: How much it may use.

    Raises:
        InvalidError: A limit cannot be, or the query goes beyond one.
        InvalidQueryError: The query cannot run; it says where in the text, if it is at one place.
        NotFoundError: A table it names is not in the lake yet.
        StoreUnavailableError: The lake does not answer.
    """
    limits = limits or QueryLimits()
    if not 0 < limits.timeout_seconds <= 3_600:
        raise InvalidError(f"a time limit of {limits.timeout_seconds:g} s: use more than 0 and at most 3600 s")
    if not 1 <= limits.rows <= MAX_ROWS:
        raise InvalidError(f"a limit of {limits.rows} rows: use 1 to {MAX_ROWS:,}")
    request = {
        "sql": sql,
        "tables": {name.lower(): events_uri(lake, tenant_id, pipeline_id) for name, pipeline_id in tables.items()},
        "storage_options": storage_options(lake),
        "timeout_seconds": limits.timeout_seconds,
        "grace_seconds": GRACE_SECONDS,
        "rows": limits.rows,
        "memory_mib": limits.memory_mib,
        "threads": limits.threads,
        "answer_bytes": limits.answer_bytes,
        "niceness": limits.niceness,
    }
    return _read_answer(*_answered(request), limits)


def check_query(sql: str, limits: QueryLimits | None = None) -> None:
    """Judge a SELECT without running it: whether it may be run over any tenant's tables.

    Raises:
        InvalidError: It may not.
    """
    limits = limits or QueryLimits(timeout_seconds=10.0, memory_mib=128)
    request = {
        "sql": sql,
        "only_check": True,
        "timeout_seconds": limits.timeout_seconds,
        "grace_seconds": GRACE_SECONDS,
        "memory_mib": limits.memory_mib,
        "threads": 1,
        "niceness": limits.niceness,
    }
    _read_answer(*_answered(request), limits)


def _answered(request: Mapping[str, Any]) -> tuple[bytes, int, bytes]:
    """Have a process answer a request; return its output, exit code and errors."""
    try:
        content = orjson.dumps(request)
    except TypeError as error:
        raise InvalidQueryError("the query holds half a character, which no text may") from error
    # The credentials travel by the pipe, never by arguments or environment, which other users may see; and the process
    # knows none but the lake's.
    worker = subprocess.Popen(
        [sys.executable, "-m", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")},
    )
    # The process ends itself; this is for one that did not get as far as to set its timer.
    most_seconds = request["timeout_seconds"] + request["grace_seconds"] + START_SECONDS
    try:
        output, errors = worker.communicate(content, timeout=most_seconds)
    except subprocess.TimeoutExpired:
        worker.kill()
        output, errors = worker.communicate()
        return b"", -signal.SIGALRM, errors
    except BaseException:
        worker.kill()
        worker.communicate()
        raise
    return output, worker.returncode, errors


def _read_answer(output: bytes, code: int, errors: bytes, limits: QueryLimits) -> QueryResult:
    lines = [orjson.loads(line) for line in output.splitlines()] if code == 0 else []
    if not lines or lines[-1]["kind"] not in {"end", "error"}:
        raise _died(code, errors, limits)
    last = lines[-1]
    if last["kind"] == "error":
        raise _as_error(last, limits)
    return QueryResult(
        columns=lines[0]["columns"],
        types=lines[0]["types"],
        rows=[row for line in lines[1:-1] for row in line["rows"]],
        is_cut=bool(last["cut_by"]),
        seconds=last["seconds"],
        cut_by=last["cut_by"],
    )


def _as_error(answer: dict[str, Any], limits: QueryLimits) -> Exception:
    match answer["slug"]:
        case "timeout":
            return _too_slow(limits)
        case "memory":
            return _too_large(limits)
        case "not-found":
            return NotFoundError(answer["message"])
        case "unavailable":
            return StoreUnavailableError("the lake", answer["message"])
        case _:
            return InvalidQueryError(answer["message"], position=answer["position"])


def _died(code: int, errors: bytes, limits: QueryLimits) -> Exception:
    if code in {-signal.SIGALRM, -signal.SIGXCPU}:
        return _too_slow(limits)
    if code in {-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS} or b"MemoryError" in errors:
        return _too_large(limits)
    # It may name places of this machine.
    _LOG.error("a query process ended with code %s: %s", code, errors.decode(errors="replace")[-2_000:])
    return InvalidError(f"the query process ended with code {code}; the log says why")


def _too_slow(limits: QueryLimits) -> InvalidError:
    return InvalidError(
        f"the query ran longer than {limits.timeout_seconds:g} s and was stopped: narrow it (by `date`, the partition "
        "column) or raise the time limit"
    )


def _too_large(limits: QueryLimits) -> InvalidError:
    return InvalidError(
        f"the query needs more than {limits.memory_mib} MiB of memory and was stopped: narrow it or aggregate more"
    )
