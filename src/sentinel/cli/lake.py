"""`sentinel lake query | tables | care`: the tenant's archived events, by SQL."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sentinel.cli.lake_care import care_now, preview_care, show_care
from sentinel.errors import InvalidError, NotFoundError
from sentinel.settings import Settings
from sentinel.stores.lake.names import table_names
from sentinel.stores.lake.query import QueryLimits, QueryResult, run_query
from sentinel.stores.lake.tables import describe_table
from sentinel.wiring import Backend
from sentinel.wiring_lake_care import build_carer

lake_app = typer.Typer(no_args_is_help=True, add_completion=False, help="Query the lake with SQL.")

_NUMBERS = ("INT", "DECIMAL", "DOUBLE", "FLOAT")


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@lake_app.callback()
def lake() -> None:
    """Query the archived events of the tenant. They are read-only here; `care` changes files, not events."""


@lake_app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT in DuckDB's SQL; '-' reads it from standard input.")],
    *,
    pipeline: Annotated[
        int | None, typer.Option("--pipeline", help="This pipeline's table is called `events`, too.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print the rows.")] = Format.TABLE,
    timeout: Annotated[float, typer.Option(help="Stop the query after so many seconds.")] = 30.0,
    limit: Annotated[int, typer.Option(help="Print at most so many rows.")] = 1_000,
    memory: Annotated[int, typer.Option(help="MiB of memory for the query.", min=64, max=65_536)] = 512,
) -> None:
    """Run one SELECT over the tables `events_<pipeline id>`, or by the pipeline's name where that is an identifier."""
    settings = Settings.load()
    text = sys.stdin.read() if sql == "-" else sql
    result = run_query(
        settings.lake,
        settings.tenant,
        text,
        table_names(_pipelines(settings), pipeline),
        QueryLimits(timeout_seconds=timeout, rows=limit, memory_mib=memory),
    )
    {Format.TABLE: print_rows, Format.JSON: print_json, Format.CSV: print_csv}[output](result)
    if result.cut_by == "bytes":
        sys.stderr.write(f"only the first {len(result.rows):,} rows are shown: the answer is too large\n")
    elif result.is_cut:
        sys.stderr.write(f"only the first {limit} rows are shown; more with --limit\n")
    elif output is Format.TABLE:
        sys.stderr.write(f"{len(result.rows):,} rows, {result.seconds:.2f} s\n")


@lake_app.command()
def tables() -> None:
    """List the tables of the tenant, with the names that a query can use."""
    settings = Settings.load()
    pipelines = _pipelines(settings)
    names = table_names(pipelines, None)
    rows = []
    for pipeline_id, name in pipelines:
        found = describe_table(settings.lake, settings.tenant, pipeline_id)
        own = [table for table, owner in names.items() if owner == pipeline_id]
        counts = (
            ("-", "-", "-") if found is None else (f"{found.rows:,}", f"{found.bytes / 1e6:,.1f}", f"{found.files:,}")
        )
        rows.append([", ".join(own), name, *counts])
    columns = ["table", "pipeline", "rows", "MB", "files"]
    print_rows(QueryResult(columns, ["VARCHAR", "VARCHAR", "INT", "INT", "INT"], rows, is_cut=False, seconds=0.0))


@lake_app.command()
def care(
    *,
    pipeline: Annotated[int | None, typer.Option("--pipeline", help="This pipeline's table only.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look at the tables and print what they need; change nothing.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Care for them now, in this process.")] = False,
) -> None:
    """Show how the tables are cared for: files merged and deleted. The worker does so by itself."""
    if now and dry_run:
        raise InvalidError("--now does it and --dry-run does not: choose one")
    settings = Settings.load()
    pipelines = [each for each in _pipelines(settings) if pipeline in {None, each[0]}]
    if pipeline is not None and not pipelines:
        raise NotFoundError(f"tenant {settings.tenant!r} has no pipeline {pipeline}")
    backend = Backend(settings, pool_size=2)
    backend.open()
    try:
        if dry_run:
            preview_care(build_carer(settings, backend), settings.tenant, pipelines)
        elif now:
            failed = care_now(build_carer(settings, backend), settings.tenant, pipelines)
            if failed:
                raise typer.Exit(1)
        else:
            with backend.unit(settings.tenant, "cli") as unit:
                show_care([(name, unit.lake_care.status(identity, runs=1)) for identity, name in pipelines])
    finally:
        backend.close()


def _pipelines(settings: Settings) -> list[tuple[int, str]]:
    backend = Backend(settings, pool_size=1)
    backend.open()
    try:
        with backend.unit(settings.tenant, "cli") as unit:
            return [(pipeline.id, pipeline.name) for pipeline in unit.pipelines.list()]
    finally:
        backend.close()


def print_rows(result: QueryResult) -> None:
    """Print an aligned table; where the output is no terminal, as wide as it needs."""
    console = Console() if sys.stdout.isatty() else Console(width=_width(result), color_system=None)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, kind in zip(result.columns, result.types, strict=True):
        is_number = any(word in kind for word in _NUMBERS)
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for row in result.rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def print_json(result: QueryResult) -> None:
    """Print an array of objects.

    Raises:
        InvalidError: Two columns have one name.
    """
    doubled = sorted({name for name in result.columns if result.columns.count(name) > 1})
    if doubled:
        raise InvalidError(f"two columns are called {doubled[0]!r}: name them apart with AS")
    lines = ("  " + json.dumps(dict(zip(result.columns, row, strict=True)), ensure_ascii=False) for row in result.rows)
    print("[\n" + ",\n".join(lines) + "\n]" if result.rows else "[]")


def print_csv(result: QueryResult) -> None:
    """Print CSV (RFC 4180) with a header; nested values as JSON."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows([["" if value is None else _text(value) for value in row] for row in result.rows])


def _text(value: Any) -> str:
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "NULL" if value is None else str(value)


def _cell(value: Any) -> str:
    # What a terminal would act on (escape sequences, line ends) is shown as its escape.
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in _text(value))


def _width(result: QueryResult) -> int:
    rows: Sequence[Sequence[Any]] = [result.columns, *result.rows]
    return sum(2 + max(len(_cell(row[at])) for row in rows) for at in range(len(result.columns))) + 1
