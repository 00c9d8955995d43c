"""Care of a pipeline's table, by deltalake in a process of its own for each step.

A step holds the table's turn, and the archive waits for it; so it must end in time whatever its store does, and it must
not take more memory than it was given. Only the kernel can promise both of a library's threads.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import orjson

from sentinel.clock import monotonic_seconds
from sentinel.domain.lake_care import CarePlan, Compaction, DateFiles, TableShape
from sentinel.errors import StoreUnavailableError, TransientError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.location import events_uri, storage_options
from sentinel.stores.lake_care import Merged

_LOG = logging.getLogger(__name__)

WORKER = "sentinel.stores.lake.care_worker"
LOOK_SECONDS = 0.05
# What a process may take beyond its time before it is ended from here.
GRACE_SECONDS = 5.0


class CareStoppedError(TransientError):
    """A step ends early, and nothing of it was done: the process that asked for it stops."""

    slug = "care-stopped"
    title = "Care of the lake was stopped"


class DeltaTableCare:
    """Looks at tables, merges their files, deletes what nobody needs.

    Args:
        step_seconds: How long a step may take.
        memory_mib: For one; its process takes up to 1 GiB on top.
        new_step: Gives each step a name of its own.
    """

    def __init__(
        self, lake: LakeSettings, *, step_seconds: float, memory_mib: int, new_step: Callable[[], str]
    ) -> None:
        self._lake = lake
        self._seconds = step_seconds
        self._memory_mib = memory_mib
        self._new_step = new_step

    def look(self, tenant_id: str, pipeline_id: int, *, is_stopped: Callable[[], bool]) -> TableShape | None:
        """Return the table as it is; None: there is none yet."""
        found = self._ask(tenant_id, pipeline_id, "look", {}, is_stopped)
        if found is None:
            return None
        return TableShape(
            version=found["version"],
            dates=tuple(
                DateFiles(
                    date.fromisoformat(day),
                    tuple(each["sizes"]),
                    datetime.fromtimestamp(each["newest_ms"] / 1000, UTC),
                )
                for day, each in found["dates"].items()
            ),
            properties=found["properties"],
        )

    def compact(
        self, tenant_id: str, pipeline_id: int, compaction: Compaction, *, is_stopped: Callable[[], bool]
    ) -> Merged:
        """Merge files of one date in one commit that changes no row; rows of one file stay together, in their order."""
        wanted = {"day": compaction.day.isoformat(), "target_bytes": compaction.target_bytes}
        found = self._ask(tenant_id, pipeline_id, "compact", wanted, is_stopped)
        return Merged(found["merged"], found["written"]) if found else Merged(0, 0)

    def set_properties(
        self, tenant_id: str, pipeline_id: int, plan: CarePlan, *, is_stopped: Callable[[], bool]
    ) -> None:
        """Set the properties that a plan names."""
        self._ask(tenant_id, pipeline_id, "set_properties", {"properties": dict(plan.properties)}, is_stopped)

    def vacuum(
        self, tenant_id: str, pipeline_id: int, *, retention_hours: float, dry_run: bool, is_stopped: Callable[[], bool]
    ) -> int:
        """Delete files that no version within the retention refers to; return how many they are."""
        wanted = {"retention_hours": round(retention_hours), "dry_run": dry_run}
        found = self._ask(tenant_id, pipeline_id, "vacuum", wanted, is_stopped)
        return int(found["files"]) if found else 0

    def _ask(
        self, tenant_id: str, pipeline_id: int, action: str, more: dict[str, Any], is_stopped: Callable[[], bool]
    ) -> dict[str, Any] | None:
        request = {
            "action": action,
            "uri": events_uri(self._lake, tenant_id, pipeline_id),
            "storage_options": storage_options(self._lake),
            "seconds": self._seconds,
            "memory_mib": self._memory_mib,
            "step": self._new_step(),
            **more,
        }
        output, code = _answered(orjson.dumps(request), self._seconds + GRACE_SECONDS, is_stopped)
        if code is None:
            raise CareStoppedError("the process was asked to stop; the next run goes on")
        answer = orjson.loads(output) if code == 0 and output else None
        if answer is None:
            raise TransientError(self._ending(action, code))
        if answer["kind"] == "done":
            return dict(answer)
        if answer["slug"] == "none":
            return None
        if answer["slug"] == "unexpected":
            _LOG.error("%s of a lake table failed: %s", action, answer["message"])
            raise TransientError(f"{action} failed; nothing of it counts, and the worker's log says why")
        if answer["slug"] == "unavailable":
            raise StoreUnavailableError("the lake", answer["message"])
        raise TransientError(answer["message"])

    def _ending(self, action: str, code: int) -> str:
        if code == -signal.SIGALRM:
            return (
                f"{action} took longer than {self._seconds:g} s and was ended; nothing of it counts. "
                "SENTINEL_LAKE_CARE__STEP_SECONDS gives it longer"
            )
        return (
            f"{action} ended with code {code}, as a process does that needs more memory than "
            f"{self._memory_mib} MiB (SENTINEL_LAKE_CARE__MEMORY_MIB); nothing of it counts"
        )


def _answered(content: bytes, most_seconds: float, is_stopped: Callable[[], bool]) -> tuple[bytes, int | None]:
    """Have a process answer; return its output and exit code, None where it was ended since we stop."""
    # The credentials travel by the pipe, never by arguments or environment, which other users may see.
    worker = subprocess.Popen(
        [sys.executable, "-m", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")},
    )
    deadline = monotonic_seconds() + most_seconds
    sent: bytes | None = content
    try:
        while True:
            try:
                output, _ = worker.communicate(sent, timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                sent = None
            else:
                return output, worker.returncode
            if is_stopped():
                return b"", None
            if monotonic_seconds() >= deadline:
                return b"", -signal.SIGALRM
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.communicate()
