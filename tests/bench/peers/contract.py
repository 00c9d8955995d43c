"""What every peer is told and does; imports nothing of the project, for peers run in environments of their own."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Task:
    """Drain a topic and write an alert for every rule that an event matches.

    Attributes:
        count: Records in the topic.
        conninfo: Of PostgreSQL.
        table: Where alerts go: (rule text, event_id text, event jsonb).
        conditions: Rule -> SQL condition.
        rules_file: Python that defines `matches(event) -> list of rules`, all conditions in one function.
        directory: For files.
    """

    bootstrap: str
    topic: str
    count: int
    conninfo: str
    table: str
    conditions: dict[str, str]
    rules_file: str
    directory: str

    def matcher(self) -> Callable[[dict[str, Any]], list[str]]:
        """Return the compiled function."""
        spec = importlib.util.spec_from_file_location("rules", self.rules_file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found: Callable[[dict[str, Any]], list[str]] = module.matches
        return found

    @property
    def copy(self) -> str:
        """The statement that takes alerts in bulk."""
        return f"COPY {self.table} (rule, event_id, event) FROM STDIN"


def read_task() -> Task:
    """Return the task that the first argument names."""
    return Task(**json.loads(Path(sys.argv[1]).read_text()))


class Watch:
    """Times from the first record to the last commit."""

    def __init__(self) -> None:
        self._began = 0.0
        self._ended = 0.0

    def first(self) -> None:
        """A record was read; only the first call counts."""
        self._began = self._began or time.monotonic()

    def last(self) -> None:
        """Something was finished; the last call counts."""
        self._ended = time.monotonic()

    def tell(self) -> None:
        """Print the result as the last line."""
        print(json.dumps({"seconds": self._ended - self._began}), flush=True)
