"""What care of the lake is asked of its stores. As in `sentinel.stores.base`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sentinel.domain.lake_care import CareCause, CareOutcome, CarePlan, CareStatus, Compaction, TableShape


@dataclass(frozen=True, slots=True)
class ClaimedCare:
    """A table that is cared for, until its claim runs out.

    Attributes:
        holder: Unlike that of any other claim.
    """

    tenant_id: str
    pipeline_id: int
    holder: str
    vacuumed_at: datetime | None
    failure_count: int


@dataclass(frozen=True, slots=True)
class Merged:
    """What a compaction did: so many files became so many."""

    merged_files: int
    written_files: int


class LakeCareReader(Protocol):
    """Reads how a tenant's tables are cared for."""

    def status(self, pipeline_id: int, *, runs: int) -> CareStatus:
        """Return how a pipeline's table is cared for, with so many of its runs at most."""


class LakeCareWork(Protocol):
    """The tables of all tenants that are due. Each call is a transaction of its own."""

    def due(self, limit: int) -> Sequence[tuple[str, int]]:
        """Return (tenant, pipeline) of tables that are due, those that have waited longest first."""

    def claim(self, tenant_id: str, pipeline_id: int, *, seconds: float, only_due: bool) -> ClaimedCare | None:
        """Take a table; None: another has it, or it is not due (any more)."""

    def keep(self, claim: ClaimedCare, *, seconds: float) -> bool:
        """Keep a claim for so long from now; False: it was lost."""

    def begin(self, claim: ClaimedCare, cause: CareCause, requested_by: str, shape: TableShape | None) -> int:
        """Note a run and return its id. Runs of long ago are forgotten on the way.

        Args:
            shape: None: the table could not be looked at.
        """

    def end(
        self, claim: ClaimedCare, run_id: int | None, outcome: CareOutcome, *, next_in_seconds: float, vacuumed: bool
    ) -> None:
        """Note what came of it, and give the table back.

        Args:
            run_id: None: there was nothing to do.
        """

    def turn(
        self, claim: ClaimedCare, *, seconds: float, wait_seconds: float, is_stopped: Callable[[], bool]
    ) -> AbstractContextManager[bool]:
        """Be the only one who commits to the table for so long; whether it came to that within `wait_seconds`."""


class LakeTableCare(Protocol):
    """Does it to the files. Each call is bounded in time and memory, and may be killed at any moment.

    Raises:
        StoreUnavailableError: The lake does not answer, or refuses us.
        TransientError: It took too long, or was asked to stop; nothing of it was done.
    """

    def look(self, tenant_id: str, pipeline_id: int, *, is_stopped: Callable[[], bool]) -> TableShape | None:
        """Return the table as it is; None: there is none yet."""

    def compact(
        self, tenant_id: str, pipeline_id: int, compaction: Compaction, *, is_stopped: Callable[[], bool]
    ) -> Merged:
        """Merge files of one date in one commit that changes no row; rows of one file stay together, in their order."""

    def set_properties(
        self, tenant_id: str, pipeline_id: int, plan: CarePlan, *, is_stopped: Callable[[], bool]
    ) -> None:
        """Set the properties that a plan names."""

    def vacuum(
        self, tenant_id: str, pipeline_id: int, *, retention_hours: float, dry_run: bool, is_stopped: Callable[[], bool]
    ) -> int:
        """Delete files that no version within the retention refers to; return how many they are."""
