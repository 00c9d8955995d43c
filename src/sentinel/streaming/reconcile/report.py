"""What a reconciliation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One side held against the other.

    Attributes:
        expected: How many there should be.
        found: How many there are.
        lost: How many are missing.
        doubled: How many are there that should not be: twice, or without a reason.
        examples: A few of them, for a person.
    """

    name: str
    expected: int
    found: int
    lost: int
    doubled: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """The whole result; `ok` when nothing is lost or doubled.

    Attributes:
        lake_rows: Rows of the lake that were looked at.
        not_decided: Records in the topic that detection has not reached; not an error.
        not_archived: Decided records that are not in the lake yet; not an error.
        notes: What could not be looked at, in words.
    """

    pipeline_id: int
    lake_rows: int
    dead_letters: int
    not_decided: int
    not_archived: int
    checks: tuple[Difference, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is lost or doubled."""
        return not any(check.lost or check.doubled for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "pipeline_id": self.pipeline_id,
            "ok": self.ok,
            "lake_rows": self.lake_rows,
            "dead_letters": self.dead_letters,
            "not_decided": self.not_decided,
            "not_archived": self.not_archived,
            "checks": [
                {
                    "name": check.name,
                    "expected": check.expected,
                    "found": check.found,
                    "lost": check.lost,
                    "doubled": check.doubled,
                    "examples": list(check.examples),
                }
                for check in self.checks
            ],
            "notes": list(self.notes),
        }
