"""Care of a lake table: which of its files are merged, what is deleted, and what came of it.

The archive appends a file every few seconds. Care merges them into fewer, larger ones and deletes, later, what no
version of the table within the retention refers to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

# A date that is not over gets files of this part of the size: merged again and again, each byte is written seldom.
OPEN_DATE_SHARE = 8
# Late events go to dates that are over: such a date is merged when it was quiet for so long, or has many files.
QUIET = timedelta(hours=1)
# So many files of such a date are merged, fewer only where they are small together.
FEW_FILES = 8
KEPT_RUN_DAYS = 30
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)


class CareCause(StrEnum):
    """Why a run was made."""

    SCHEDULE = "schedule"
    REQUEST = "request"


class CareState(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CarePolicy:
    """When files are merged and deleted.

    Attributes:
        min_files: A date that is not over is left alone until it has so many files that can be merged.
        target_bytes: How large files become, about.
        retention: What the table does not hold any more is kept for so long, for those who read an earlier version.
        vacuum_every: How often it is looked for what can be deleted.
    """

    min_files: int
    target_bytes: int
    retention: timedelta
    vacuum_every: timedelta


@dataclass(frozen=True, slots=True)
class DateFiles:
    """The files of one date of a table.

    Attributes:
        sizes: In bytes, in the order of the table's log.
        newest_at: When the last of them came.
    """

    day: date
    sizes: tuple[int, ...]
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table at one version.

    Attributes:
        properties: Of the table, as Delta names them.
    """

    version: int
    dates: tuple[DateFiles, ...]
    properties: Mapping[str, str]

    @property
    def file_count(self) -> int:
        """How many files it has."""
        return sum(len(each.sizes) for each in self.dates)

    @property
    def size_bytes(self) -> int:
        """How large they are together."""
        return sum(sum(each.sizes) for each in self.dates)


@dataclass(frozen=True, slots=True)
class Compaction:
    """The files of one date that are below a size are to be merged up to that size.

    Attributes:
        file_count: How many files are merged, about.
        size_bytes: How large they are together.
    """

    day: date
    target_bytes: int
    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CarePlan:
    """What a table needs now, newest date first.

    Attributes:
        properties: Of the table, which are to be set.
    """

    compactions: tuple[Compaction, ...]
    properties: Mapping[str, str]
    vacuum: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.compactions or self.properties or self.vacuum)


@dataclass(frozen=True, slots=True)
class CareOutcome:
    """What a run did.

    Attributes:
        files_before: Of the table, when it began; `files_after` when it ended, with what the archive added meanwhile.
        merged_files: How many were merged, into `written_files`.
        deleted_files: How many were deleted from the store, which no version within the retention refers to.
        is_complete: Whether all was done that was to be done.
        error: Why it failed; None: it did not.
    """

    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    merged_files: int = 0
    written_files: int = 0
    deleted_files: int = 0
    is_complete: bool = True
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CareRun:
    """A run, as it is kept."""

    id: int
    cause: CareCause
    requested_by: str
    state: CareState
    started_at: datetime
    finished_at: datetime | None
    outcome: CareOutcome


@dataclass(frozen=True, slots=True)
class CareStatus:
    """How a table is cared for.

    Attributes:
        looked_at: When it was last looked at; None: never. `file_count` and `size_bytes` are of then.
        next_at: When it is looked at again; None: nothing was written to it yet.
        runs: The last ones, newest first. A look that found nothing to do is none.
    """

    pipeline_id: int
    looked_at: datetime | None
    next_at: datetime | None
    vacuumed_at: datetime | None
    failure_count: int
    file_count: int | None
    size_bytes: int | None
    is_running: bool
    runs: tuple[CareRun, ...]


def plan_care(shape: TableShape, policy: CarePolicy, now: datetime, vacuumed_at: datetime | None) -> CarePlan:
    """Decide what a table needs.

    Args:
        vacuumed_at: When it was last looked for what can be deleted; None: never.
    """
    compactions = []
    for each in sorted(shape.dates, key=lambda found: found.day, reverse=True):
        is_open = each.day >= now.date()
        target = policy.target_bytes // OPEN_DATE_SHARE if is_open else policy.target_bytes
        files, size = mergeable(each.sizes, target)
        is_quiet = not is_open and each.newest_at <= now - QUIET
        # A late event now and then must not have a full file written anew each time.
        is_cheap = files >= FEW_FILES or size <= policy.target_bytes // OPEN_DATE_SHARE
        if files >= policy.min_files or (files and is_quiet and is_cheap):
            compactions.append(Compaction(each.day, target, files, size))
    wanted = retention_properties(policy.retention)
    is_due = vacuumed_at is None or vacuumed_at <= now - policy.vacuum_every
    return CarePlan(
        compactions=tuple(compactions),
        properties={name: value for name, value in wanted.items() if shape.properties.get(name) != value},
        vacuum=is_due,
    )


def mergeable(sizes: Sequence[int], target_bytes: int) -> tuple[int, int]:
    """Return how many files can be merged with a neighbour, and their bytes.

    Files are packed in their order, as long as they fit into the target; one that stays alone is not touched.
    """
    count = total = 0
    pack: list[int] = []
    for size in (*(each for each in sizes if each < target_bytes), target_bytes):
        if sum(pack) + size > target_bytes:
            if len(pack) > 1:
                count, total = count + len(pack), total + sum(pack)
            pack = []
        pack.append(size)
    return count, total


def retention_properties(retention: timedelta) -> dict[str, str]:
    """Return the properties by which Spark, at its checkpoints, forgets deleted files and old versions of the log.

    Source: https://docs.delta.io/latest/table-properties.html
    """
    text = f"interval {round(retention / timedelta(hours=1))} hours"
    return {"delta.logRetentionDuration": text, "delta.deletedFileRetentionDuration": text}


def retry_after(failure_count: int) -> timedelta:
    """Return the pause after so many failures in a row."""
    return min(FIRST_RETRY * (1 << min(failure_count - 1, 10)), LONGEST_RETRY)
