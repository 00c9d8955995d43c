"""The labels file: which of the sent transactions are fraud, apart from the events themselves."""

from __future__ import annotations

import gzip
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from sentinel.errors import InvalidError


class LabelsFile:
    """A JSONL file (gzip when it ends in `.gz`) of `{"transaction_id", "pattern"}`, of sent transactions only.

    Raises:
        InvalidError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            packed = path.suffix == ".gz"
            # Closed in __exit__.
            self._file = cast(IO[bytes], gzip.open(path, "wb") if packed else path.open("wb"))  # noqa: SIM115
        except OSError as error:
            raise InvalidError(f"the labels cannot be written to {str(path)!r}: {error.strerror}") from error
        self._waiting: deque[tuple[int, bytes]] = deque()
        self.written = 0

    def add(self, position: int, line: bytes) -> None:
        """Keep a label until its transaction, the one at `position` in the stream, was sent."""
        self._waiting.append((position, line))

    def settle(self, sent: int) -> None:
        """Write the labels of the first `sent` transactions."""
        while self._waiting and self._waiting[0][0] < sent:
            self._file.write(self._waiting.popleft()[1])
            self.written += 1

    def __enter__(self) -> LabelsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
