"""The process of one step of care: reads a request from standard input, writes one line of JSON to standard output.

It may be killed at any moment: what it writes counts from one commit of Delta's log on, which is one conditional put.
Files of a step that did not come to that are found by a later vacuum. It leaves checkpoints and the clearing of the
log to Spark, which keeps the numbers of the archive's transactions there.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, WriterProperties
from deltalake.exceptions import DeltaError, TableNotFoundError

from sentinel.stores.lake.query_errors import first_lines, hidden

PROCESS_MIB = 1_024
# A store that is away must not hold the table's turn for the minutes that the client would go on trying.
CLIENT_OPTIONS = {"connect_timeout": "3s", "timeout": "20s", "max_retries": "3", "retry_timeout": "15s"}
# Under this name a commit of ours says of which step it is.
MARK = "sentinelCare"
# What of the protocol is known to be kept by a compaction: a table with more was made by somebody else.
READER, WRITER = 1, 2
ROWS_PER_GROUP = 262_144
_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)

Request = dict[str, Any]


class RefusedError(Exception):
    """The step ends with this answer."""

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug


def main() -> None:
    """Answer one request."""
    request: Request = orjson.loads(sys.stdin.buffer.read())
    set_limits(request)
    try:
        answer: Mapping[str, Any] = {"kind": "done", **ACTIONS[request["action"]](request)}
    except RefusedError as refused:
        answer = {"kind": "error", "slug": refused.slug, "message": hidden(str(refused), _secrets(request))}
    except TableNotFoundError:
        answer = {"kind": "error", "slug": "none", "message": ""}
    except (DeltaError, OSError, ValueError) as error:
        text = hidden(first_lines(error), _secrets(request))[:2_000]
        answer = {"kind": "error", "slug": "unavailable", "message": text}
    except Exception as error:
        text = hidden(f"{type(error).__name__}: {first_lines(error)}", _secrets(request))[:2_000]
        answer = {"kind": "error", "slug": "unexpected", "message": text}
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()
    # Nothing is left to be done. Taking the library's threads down can end in an abort on a busy machine.
    os._exit(0)


def set_limits(request: Request) -> None:
    """Let the kernel end this process when it takes too long or too much, also when its parent is gone."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, request["seconds"])
    size = (PROCESS_MIB + request["memory_mib"]) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)


def opened(request: Request) -> DeltaTable:
    """Open the table as it is now."""
    options = request["storage_options"]
    return DeltaTable(request["uri"], storage_options={**CLIENT_OPTIONS, **options} if options else None)


def look(request: Request) -> Mapping[str, Any]:
    """Say which files there are: by date, in the order in which they came."""
    table = opened(request)
    actions = pa.table(table.get_add_actions(flatten=True))
    dates: dict[str, dict[str, Any]] = {}
    if actions.num_rows:
        if "partition.date" not in actions.schema.names:
            raise RefusedError("refused", "the table has no dates as partitions, so the archive did not write it")
        wanted = actions.select(["partition.date", "size_bytes", "modification_time"]).sort_by("modification_time")
        for row in wanted.to_pylist():
            if row["partition.date"] is None:
                continue
            at = row["modification_time"]
            found = dates.setdefault(row["partition.date"].isoformat(), {"sizes": [], "newest_ms": 0})
            found["sizes"].append(row["size_bytes"])
            found["newest_ms"] = max(found["newest_ms"], at if isinstance(at, int) else round(at.timestamp() * 1000))
    return {"version": table.version(), "dates": dates, "properties": table.metadata().configuration}


def compact(request: Request) -> Mapping[str, Any]:
    """Merge the files of one date that are below the target: the same rows, in one commit."""
    table = checked(opened(request))
    metrics = table.optimize.compact(
        partition_filters=[("date", "=", request["day"])],
        target_size=request["target_bytes"],
        # One row group after the other: the memory it takes does not grow with the date.
        max_concurrent_tasks=1,
        writer_properties=WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=ROWS_PER_GROUP),
        commit_properties=CommitProperties(custom_metadata={MARK: request["step"]}),
        post_commithook_properties=_NO_HOOKS,
    )
    merged = int(metrics["numFilesRemoved"])
    if merged:
        check_committed(request)
    return {"merged": merged, "written": int(metrics["numFilesAdded"])}


def set_properties(request: Request) -> Mapping[str, Any]:
    """Set properties of the table."""
    table = checked(opened(request))
    table.alter.set_table_properties(
        request["properties"],
        commit_properties=CommitProperties(custom_metadata={MARK: request["step"]}),
        post_commithook_properties=_NO_HOOKS,
    )
    check_committed(request)
    return {}


def vacuum(request: Request) -> Mapping[str, Any]:
    """Delete, or count, files that no version within the retention refers to, also those of steps that were cut."""
    table = checked(opened(request))
    files = table.vacuum(
        retention_hours=request["retention_hours"],
        dry_run=request["dry_run"],
        enforce_retention_duration=False,
        full=True,
        post_commithook_properties=_NO_HOOKS,
    )
    return {"files": len(files)}


def checked(table: DeltaTable) -> DeltaTable:
    """Return the table if all of it is understood.

    Raises:
        RefusedError: It has features that a compaction might lose.
    """
    protocol = table.protocol()
    if protocol.min_reader_version > READER or protocol.min_writer_version > WRITER:
        raise RefusedError(
            "refused",
            f"the table asks for version {protocol.min_reader_version} of Delta's readers and "
            f"{protocol.min_writer_version} of its writers, which the archive does not write: care leaves it alone",
        )
    return table


def check_committed(request: Request) -> None:
    """Look whether the commit of this step is in the log.

    Raises:
        RefusedError: It is not: somebody who took no turn put another one in its place. No row is lost by that.
    """
    if all(entry.get(MARK) != request["step"] for entry in opened(request).history(20)):
        raise RefusedError("conflict", "the commit was overwritten by a writer that takes no turns; it is tried again")


def _secrets(request: Request) -> dict[str, Any]:
    return {"tables": {"events": request["uri"]}, "storage_options": request["storage_options"]}


ACTIONS: Mapping[str, Callable[[Request], Mapping[str, Any]]] = {
    "look": look,
    "compact": compact,
    "set_properties": set_properties,
    "vacuum": vacuum,
}


if __name__ == "__main__":
    main()
