"""`sentinel events`: send events by HTTP, and say where they go."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from sentinel.cli.output import print_table, say
from sentinel.client import Client, models
from sentinel.errors import InvalidError, RateLimitedError
from sentinel.settings import Settings

app = typer.Typer(help="Events by HTTP: send them, and say where they go.", no_args_is_help=True)

SHOWN_REJECTIONS = 20
BATCH_BYTES = 2_000_000
EventType = Annotated[str, typer.Argument(help="Their `type`; with * at its end, all that begin so.")]


@app.command("send")
def send(
    file: Annotated[str, typer.Argument(help="One JSON object per line; .gz is read; - is the standard input.")] = "-",
    pipeline: Annotated[str, typer.Option(help="By id or name; else each event's `type` says.")] = "",
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Events in a request.")] = 500,
) -> None:
    """Send events to the API. Exit code 1 when some were rejected."""
    first, accepted, duplicate, rejected = 1, 0, 0, 0
    with Client.of(Settings.load()) as client, _opened(file) as source:
        for lines in _batches(source, batch):
            numbers = [number for number, line in enumerate(lines, first) if line.strip()]
            first += len(lines)
            if not numbers:
                continue
            taken = _sent(client, [line for line in lines if line.strip()], pipeline or None)
            for item in taken.items:
                if item.status == "rejected":
                    rejected += 1
                    if rejected <= SHOWN_REJECTIONS:
                        told = "; ".join(f"{each.pointer} {each.detail}".strip() for each in item.errors)
                        say(f"line {numbers[item.index]} is rejected: {told}")
            accepted, duplicate = accepted + taken.accepted, duplicate + taken.duplicate
    print(f"{accepted} accepted, {duplicate} sent before, {rejected} rejected")
    if rejected:
        raise typer.Exit(1)


@app.command("routes")
def routes() -> None:
    """List where events go by their type."""
    with Client.of(Settings.load()) as client:
        rows = [[route.event_type, str(route.pipeline_id)] for route in client.list_event_routes()]
    print_table(("type", "pipeline"), rows, frozenset({1}))


@app.command("route")
def route(event_type: EventType, pipeline: Annotated[int, typer.Argument(help="The pipeline's id.")]) -> None:
    """Send events of a type to a pipeline."""
    with Client.of(Settings.load()) as client:
        made = client.put_event_route(event_type, pipeline)
    print(f"{made.event_type} goes to pipeline {made.pipeline_id}")


@app.command("unroute")
def unroute(event_type: EventType) -> None:
    """Forget a route."""
    with Client.of(Settings.load()) as client:
        gone = client.remove_event_route(event_type)
    print(f"{gone.event_type} goes to pipeline {gone.pipeline_id} no longer")


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    path = Path(file)
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as source:
            yield source  # type: ignore[misc]
    except (FileNotFoundError, IsADirectoryError, PermissionError, gzip.BadGzipFile) as error:
        raise InvalidError(f"{file} cannot be read: {error}") from error


def _batches(source: BinaryIO, count: int) -> Iterator[list[bytes]]:
    """Yield the lines, so many at once, and fewer where they are long."""
    lines: list[bytes] = []
    size = 0
    for line in source:
        if lines and (len(lines) == count or size + len(line) > BATCH_BYTES):
            yield lines
            lines, size = [], 0
        lines.append(line.rstrip(b"\r\n"))
        size += len(line)
    if lines:
        yield lines


def _sent(client: Client, lines: list[bytes], pipeline: str | None) -> models.EventsTaken:
    while True:
        try:
            return client.send_events(lines, pipeline=pipeline)
        except RateLimitedError as error:
            say(f"{error.message}; waiting {error.retry_after_seconds:g} s")
            time.sleep(error.retry_after_seconds)
