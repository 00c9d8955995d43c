"""`sentinel reconcile`: prove that topic, lake, alerts and scores of a pipeline agree."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sentinel.localstack.java import find_java
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.streaming.query.session import build_session
from sentinel.streaming.reconcile import ReconcileReport, reconcile


def reconcile_command(
    pipeline_id: Annotated[int, typer.Argument(metavar="ID")],
    as_json: Annotated[bool, typer.Option("--json", help="Print plain data instead of a table.")] = False,
) -> None:
    """Compare topic, lake, dead letters, alerts and scores; exit 1 when anything is lost or doubled."""
    settings = Settings.load()
    database = Database(settings.postgres, pool_size=1)
    database.open()
    # Spark looks for Java in the environment only, and there may be none but that of the wheel.
    os.environ["JAVA_HOME"] = str(find_java(settings.home).home)
    spark = build_session(
        settings, app_name=f"reconcile {pipeline_id}", master="local[2]", extra={"spark.ui.enabled": "false"}
    )
    try:
        report = reconcile(settings, database, spark, settings.tenant, pipeline_id)
    finally:
        spark.stop()
        database.close()
    if as_json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        show(report)
    if not report.ok:
        raise typer.Exit(1)


def show(report: ReconcileReport) -> None:
    """Print the report as a table."""
    console = Console()
    table = Table(title=f"Pipeline {report.pipeline_id}")
    for column in ("check", "expected", "found", "lost", "doubled"):
        table.add_column(column, justify="left" if column == "check" else "right")
    for check in report.checks:
        counts = (check.expected, check.found, check.lost, check.doubled)
        table.add_row(check.name, *(f"{count:,}" for count in counts))
    console.print(table)
    console.print(f"{report.lake_rows:,} rows in the lake, {report.dead_letters:,} dead letters", highlight=False)
    console.print(
        f"not decided yet: {report.not_decided:,}; decided, not archived yet: {report.not_archived:,}", highlight=False
    )
    for check in report.checks:
        for example in check.examples:
            console.print(f"  {example}", markup=False, highlight=False)
    for note in report.notes:
        console.print(f"note: {note}", markup=False, highlight=False)
    console.print("0 lost, 0 doubled" if report.ok else "NOT RECONCILED", highlight=False)
