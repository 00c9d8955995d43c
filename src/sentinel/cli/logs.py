"""`sentinel logs [NAME] [-f]`."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Annotated, TextIO

import typer

from sentinel.errors import NotFoundError
from sentinel.localstack.paths import StackPaths
from sentinel.settings import Settings

_POLL_SECONDS = 0.2


def logs(
    name: Annotated[str | None, typer.Argument(help="A program as `status` names it; default: all.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of each to begin with.")] = 50,
) -> None:
    """Show the logs of one program or of all."""
    directory = StackPaths(Settings.load().home).logs
    found = {path.stem: path for path in sorted(directory.glob("*.log"))}
    if name is not None and name not in found:
        raise NotFoundError(f"there is no log of {name!r} in {directory}; there are: {', '.join(found) or 'none'}")
    tails = [LogTail(path, "" if name else f"{stem} | ") for stem, path in found.items() if name in {None, stem}]
    for tail in tails:
        tail.print_last(lines)
    try:
        while follow:
            for tail in tails:
                tail.print_new()
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        pass


class LogTail:
    """One log file, followed across rotation."""

    def __init__(self, path: Path, prefix: str) -> None:
        self.path = path
        self.prefix = prefix
        self._file: TextIO = path.open(errors="replace")

    def print_last(self, count: int) -> None:
        """Print the last lines there are."""
        self._print(deque(self._file, maxlen=count))

    def print_new(self) -> None:
        """Print what was written since; after a rotation the rest of the old file comes first."""
        self._print(deque(self._file))
        try:
            rotated = self.path.stat().st_ino != Path(f"/dev/fd/{self._file.fileno()}").stat().st_ino
        except FileNotFoundError:
            return
        if rotated:
            self._file.close()
            self._file = self.path.open(errors="replace")
            self._print(deque(self._file))

    def _print(self, lines: deque[str]) -> None:
        for line in lines:
            print(self.prefix + line.rstrip("\n"), flush=True)
