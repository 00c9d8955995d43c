"""What `sentinel lake care` prints and does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sentinel.batch.lake_care.carer import LakeCarer
from sentinel.cli.output import megabytes, print_table, say
from sentinel.domain.lake_care import CareOutcome, CareStatus
from sentinel.errors import ConflictError, SentinelError

_RIGHT = frozenset({1, 2, 3, 4, 5})


def show_care(found: Sequence[tuple[str, CareStatus]]) -> None:
    """Print how tables are cared for, with the last run of each."""
    heading = ("pipeline", "files", "size", "merged", "into", "deleted", "last run", "looked at", "next")
    rows = []
    for name, status in found:
        run = status.runs[0] if status.runs else None
        outcome = run.outcome if run else None
        rows.append(
            (
                f"{status.pipeline_id} {_plain(name)}",
                "-" if status.file_count is None else f"{status.file_count:,}",
                megabytes(status.size_bytes),
                *_counts(outcome),
                "running" if status.is_running else run.state.value if run else "-",
                _time(status.looked_at),
                _time(status.next_at),
            )
        )
    print_table(heading, rows, right=_RIGHT)
    for name, status in found:
        if status.runs and status.runs[0].outcome.error is not None:
            say(f"{status.pipeline_id} {_plain(name)}: {status.runs[0].outcome.error}")


def preview_care(carer: LakeCarer, tenant_id: str, pipelines: Sequence[tuple[int, str]]) -> None:
    """Print what tables need, without doing it."""
    heading = ("pipeline", "files", "size", "would merge", "of", "would delete", "dates")
    rows = []
    for identity, name in pipelines:
        found = carer.preview(tenant_id, identity)
        if found is None:
            rows.append((f"{identity} {_plain(name)}", "-", "-", "-", "-", "-", "no table yet"))
            continue
        shape, plan, deletable = found
        rows.append(
            (
                f"{identity} {_plain(name)}",
                f"{shape.file_count:,}",
                megabytes(shape.size_bytes),
                f"{sum(each.file_count for each in plan.compactions):,}",
                megabytes(sum(each.size_bytes for each in plan.compactions)),
                f"{deletable:,}",
                ", ".join(each.day.isoformat() for each in plan.compactions[:5])
                + (f" and {len(plan.compactions) - 5} more" if len(plan.compactions) > 5 else ""),
            )
        )
    print_table(heading, rows, right=_RIGHT)


def care_now(carer: LakeCarer, tenant_id: str, pipelines: Sequence[tuple[int, str]]) -> bool:
    """Care for tables, one after the other, and print what came of it; return whether one failed."""
    heading = ("pipeline", "files before", "after", "merged", "into", "deleted", "outcome")
    rows, failed = [], False
    for identity, name in pipelines:
        outcome: CareOutcome | None = None
        try:
            outcome = carer.run_requested(tenant_id, identity, requested_by="cli", is_stopped=lambda: False)
            said = "nothing to do" if outcome is None else outcome.error or _completeness(outcome)
            failed = failed or (outcome is not None and outcome.error is not None)
        except ConflictError as error:
            said = error.message
        except SentinelError as error:
            said, failed = error.message, True
        before, after = ("-", "-") if outcome is None else (f"{outcome.files_before:,}", f"{outcome.files_after:,}")
        rows.append((f"{identity} {_plain(name)}", before, after, *_counts(outcome), said))
    print_table(heading, rows, right=_RIGHT)
    return failed


def _completeness(outcome: CareOutcome) -> str:
    return "done" if outcome.is_complete else "the rest follows by the next run"


def _counts(outcome: CareOutcome | None) -> tuple[str, str, str]:
    if outcome is None:
        return ("-", "-", "-")
    return (f"{outcome.merged_files:,}", f"{outcome.written_files:,}", f"{outcome.deleted_files:,}")


def _time(at: datetime | None) -> str:
    return "-" if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain(name: str) -> str:
    # What a terminal would act on is shown as its escape.
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in name)
