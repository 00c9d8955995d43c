"""Archive commits: numbered steps by which decided records reach the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Ranges = dict[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ArchiveCommit:
    """One commit: the offsets of one generation that reach the lake together.

    Attributes:
        seq: Its number, 1, 2, ... per pipeline; the transaction version in the Delta table.
        ranges: Partition -> (first offset, offset after the last one). Every partition of the pipeline is in it, those
            without news with an empty range, so that the last commit tells how far the lake is.
    """

    seq: int
    generation_id: int
    ranges: Ranges

    @property
    def filled(self) -> Ranges:
        """The ranges that are not empty."""
        return {partition: span for partition, span in self.ranges.items() if span[0] < span[1]}

    @property
    def offset_count(self) -> int:
        """How many offsets it covers; fewer records where the topic has gaps."""
        return sum(end - start for start, end in self.ranges.values())


@dataclass(frozen=True, slots=True)
class Border:
    """The offsets of one partition that a generation answers for. `end_offset` is None while it is the active one."""

    generation_id: int
    partition: int
    start_offset: int
    end_offset: int | None


def plan_ranges(
    archived: Mapping[int, int], decided: Mapping[int, int], borders: Sequence[Border], *, max_records: int
) -> tuple[int, Ranges] | None:
    """Return the next generation to archive and its ranges, or None when the lake is up to date.

    A commit holds offsets of one generation only, the oldest one that has any left, so that it is parsed with exactly
    one schema version. At most `max_records` offsets, shared out evenly over the partitions that have some.

    Raises:
        ValueError: A decided offset belongs to no generation.
    """
    due: dict[int, tuple[int, int]] = {}
    owner: int | None = None
    for partition, end in sorted(decided.items()):
        start = archived.get(partition, end)
        if start >= end:
            continue
        border = next((b for b in borders if holds(b, partition, start)), None)
        if border is None:
            raise ValueError(f"offset {start} of partition {partition} belongs to no generation")
        stop = end if border.end_offset is None else min(end, border.end_offset)
        if owner is None or border.generation_id < owner:
            owner, due = border.generation_id, {}
        if border.generation_id == owner:
            due[partition] = (start, stop)
    if owner is None:
        return None
    share = max(1, max_records // len(due))
    ranges = {partition: (archived[partition], archived[partition]) for partition in sorted(decided)}
    ranges.update({partition: (start, min(stop, start + share)) for partition, (start, stop) in due.items()})
    return owner, ranges


def holds(border: Border, partition: int, offset: int) -> bool:
    """Whether an offset lies within a border."""
    return (
        border.partition == partition
        and border.start_offset <= offset
        and (border.end_offset is None or offset < border.end_offset)
    )
