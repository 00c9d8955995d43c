"""What became of every case, run after run, failures as well: docs/reliability.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.chaos.ground import RATE, Outcome


class Record:
    """The runs of all cases in their order. A campaign takes hours, so it may be run in parts.

    Args:
        path: Written after every run; without it nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.runs: list[dict[str, Any]] = []

    def load(self) -> None:
        """Go on with the runs that were written."""
        if self._path is not None and self._path.exists():
            self.runs = json.loads(self._path.read_text())["runs"]

    def add(self, outcome: Outcome) -> None:
        """Keep a run that was green."""
        self._append({**asdict(outcome), "green": True})

    def add_failure(self, case: str, mode: str, error: Exception) -> None:
        """Keep a run in which something was lost or doubled, or that did not recover."""
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        self._append({"case": case, "mode": mode, "green": False, "why": why[:300]})

    def in_a_row(self, case: str, mode: str) -> list[dict[str, Any]]:
        """Return the newest runs of a case in a mode that were green, back to the last one that was not."""
        return list(takewhile(lambda run: run["green"], self._backwards(case, mode)))

    def failures(self, case: str, mode: str) -> int:
        """Return how many of its runs were not green."""
        return sum(not run["green"] for run in self._backwards(case, mode))

    def _backwards(self, case: str, mode: str) -> Iterator[dict[str, Any]]:
        return (run for run in reversed(self.runs) if (run["case"], run["mode"]) == (case, mode))

    def _append(self, run: dict[str, Any]) -> None:
        self.runs.append({"day": datetime.now(UTC).date().isoformat(), **run})
        if self._path is not None:
            self._path.write_text(json.dumps({"rate": RATE, "runs": self.runs}, indent=1) + "\n")
