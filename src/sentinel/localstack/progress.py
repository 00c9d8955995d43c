"""A line of progress for anything that takes longer: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO


class Report(Protocol):
    """Tells a person what is going on."""

    def __call__(self, text: str, /) -> None:
        """Say that something has happened; stays visible."""


def plain_report(text: str, /) -> None:
    """Write one line to standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def silent_report(_text: str, /) -> None:
    """Say nothing."""


class Steps(Protocol):
    """The progress of counted steps."""

    def advance(self, text: str) -> None:
        """One step is done; `text` names it."""


class _PlainSteps:
    def __init__(self, label: str, total: int, report: Report) -> None:
        self.label, self.total, self.report, self.done = label, total, report, 0

    def advance(self, text: str) -> None:
        self.done += 1
        if self.done == self.total or self.done % max(1, self.total // 5) == 0:
            self.report(f"{self.label}: {self.done} of {self.total} ({text})")


@contextmanager
def counted(label: str, total: int, report: Report, stream: TextIO = sys.stderr) -> Iterator[Steps]:
    """Show the progress of `total` steps: a bar on a terminal, about five lines elsewhere."""
    if report is not plain_report or not stream.isatty():
        yield _PlainSteps(label, total, report)
        return
    from rich.console import Console  # noqa: PLC0415 - only on a terminal; costs 50 ms of every command otherwise
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(file=stream)) as bar:
        task = bar.add_task(label, total=total, text="")

        class _Bar:
            def advance(self, text: str) -> None:
                bar.update(task, advance=1, text=text)

        yield _Bar()
