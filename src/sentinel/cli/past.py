"""`sentinel backtest` and `sentinel refill`: have the rule worker look at the lake, and show what it found."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from sentinel.catalog.backtests import AskedRule, AskedSweep
from sentinel.catalog.engine_tasks import failure_of
from sentinel.cli.output import print_table, say
from sentinel.domain.engine_task import EngineTask, TaskKind, TaskState
from sentinel.domain.history import Clock
from sentinel.domain.refill import DEFAULT_MAX_ALERTS
from sentinel.errors import ConflictError, InvalidError
from sentinel.settings import Settings
from sentinel.wiring import Backend, Unit

CALLER = "cli"
POLL_SECONDS = 0.3
NO_WORKER_SECONDS = 10.0

Start = Annotated[str, typer.Option("--from", help="First moment, ISO 8601; UTC unless it names a zone.")]
End = Annotated[str, typer.Option("--to", help="First moment that does not belong to it any more.")]
ClockOption = Annotated[Clock, typer.Option(help="Whose time counts: the event's or the Kafka record's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def backtest(
    pipeline_id: Annotated[int, typer.Argument(metavar="PIPELINE")],
    *,
    start: Start,
    end: End,
    rule: Annotated[list[str], typer.Option(help="An expression, or the id of a saved rule; repeatable.")],
    clock: ClockOption = Clock.EVENT_TIME,
    label_column: Annotated[str, typer.Option(help="A boolean field of the event that says what is true.")] = "",
    labels: Annotated[
        Path | None, typer.Option(help="CSV with a heading: event id, label.", exists=True, dir_okay=False)
    ] = None,
    sweep: Annotated[str, typer.Option(help="CONSTANT=VALUE,VALUE,...: other values for a number of the rule.")] = "",
    as_json: AsJson = False,
) -> None:
    """Test rules on the lake before they act: matches, unknown, overlap with the active rules, quality by labels."""
    asked = [AskedRule(rule_id=int(text)) if text.isdecimal() else AskedRule(expression=text) for text in rule]
    begin, stop, wanted = moment(start), moment(end), read_sweep(sweep)
    content = labels.read_bytes() if labels else None

    def submit(unit: Unit) -> EngineTask:
        label_set = unit.backtests.add_labels(pipeline_id, labels.name, content) if labels and content else None
        return unit.backtests.submit(
            pipeline_id,
            asked,
            begin,
            stop,
            clock=clock,
            label_column=label_column or None,
            label_set_id=label_set.id if label_set else None,
            sweep=wanted,
        )

    result = do(TaskKind.BACKTEST, submit)
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        show_backtest(result)


def refill(
    *,
    pipeline_id: Annotated[int, typer.Option("--pipeline")],
    start: Start,
    end: End,
    rule: Annotated[int | None, typer.Option(help="One rule by its id; without it all active ones.")] = None,
    clock: ClockOption = Clock.EVENT_TIME,
    max_alerts: Annotated[int, typer.Option(min=1, help="With more matches nothing is written.")] = DEFAULT_MAX_ALERTS,
    as_json: AsJson = False,
) -> None:
    """Make the alerts that rules of today would have raised in a range of time; those that are there stay."""
    begin, stop = moment(start), moment(end)

    def submit(unit: Unit) -> EngineTask:
        return unit.backtests.refill(pipeline_id, begin, stop, clock=clock, rule_id=rule, max_alerts=max_alerts)

    result = do(TaskKind.REFILL, submit)
    if as_json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['matches']:,} matches of {result['events']:,} events")
    there = f"{result['already_there']:,} were there already"
    print(f"{result['alerts_added']:,} alerts added (refill {result['refill_id']}), {there}")
    if not result["scores_follow"]:
        print("Redis does not answer: the pipeline's job writes the scores when it does")


def do(kind: TaskKind, submit: Callable[[Unit], EngineTask]) -> dict[str, Any]:
    """Submit a task, show how far it is until it is finished, and return its result; Ctrl-C cancels it.

    Raises:
        SentinelError: It could not be submitted, or what it failed with.
        ConflictError: Somebody cancelled it.
    """
    settings = Settings.load()
    backend = Backend(settings, pool_size=1)
    backend.open()
    try:
        with backend.unit(settings.tenant, CALLER) as unit:
            task = submit(unit)
        try:
            task = follow(backend, settings.tenant, task, kind)
        except KeyboardInterrupt:
            with backend.unit(settings.tenant, CALLER) as unit:
                unit.backtests.cancel(task.id, kind)
            say(f"{kind} {task.id} is cancelled")
            raise typer.Exit(130) from None
    finally:
        backend.close()
    if task.error is not None:
        raise failure_of(task.error)
    if task.result is None:
        raise ConflictError(f"{kind} {task.id} was cancelled")
    return task.result


def follow(backend: Backend, tenant_id: str, task: EngineTask, kind: TaskKind) -> EngineTask:
    """Wait until a task is finished; a line on the terminal tells how far it is."""
    began, told = time.monotonic(), False
    interactive = sys.stderr.isatty()
    while not task.state.is_final:
        time.sleep(POLL_SECONDS)
        with backend.unit(tenant_id, CALLER) as unit:
            task = unit.backtests.get(task.id, kind)
        if task.state is TaskState.QUEUED and not told and time.monotonic() - began > NO_WORKER_SECONDS:
            told = True
            say(
                f"{kind} {task.id} still waits: start a rule worker with `sentinel rule-worker`, or wait for a free one"
            )
        if interactive:
            sys.stderr.write(f"\r\x1b[K{progress_line(task)}")
            sys.stderr.flush()
    if interactive:
        sys.stderr.write("\r\x1b[K")
    return task


def progress_line(task: EngineTask) -> str:
    """Return how far a task is, in one line."""
    phase, done = task.progress.get("phase", str(task.state)), float(task.progress.get("done", 0.0))
    return f"{task.kind} {task.id}: {phase} {'#' * int(done * 30):<30} {done:4.0%}"


def moment(text: str) -> datetime:
    """Read a date or a moment; UTC unless it names a zone.

    Raises:
        InvalidError: It is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(f"{text!r} is no date or time; write 2026-01-31 or 2026-01-31T12:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def read_sweep(text: str) -> AskedSweep | None:
    """Read `CONSTANT=VALUE,VALUE,...`; None for an empty text.

    Raises:
        InvalidError: It is of another form.
    """
    if not text:
        return None
    constant, _, values = text.partition("=")
    try:
        numbers = tuple(Decimal(value.strip()) for value in values.split(","))
    except InvalidOperation:
        numbers = ()
    if not constant.strip() or not numbers or not all(number.is_finite() for number in numbers):
        raise InvalidError(f"--sweep {text!r} is not of the form CONSTANT=VALUE,VALUE,... such as 500=100,250,1000")
    return AskedSweep(0, constant.strip(), numbers)


def show_backtest(result: dict[str, Any]) -> None:
    """Print a result as tables."""
    print(
        f"{result['event_count']:,} events from {result['range']['from']} to {result['range']['to']}, "
        f"{result['seconds']:.1f} s"
    )
    labelled = result["labelled"] is not None
    heading = ["rule", "matches", "unknown", *(["precision", "recall", "F1"] if labelled else [])]
    rows = [
        [rule["rule"]["name"], f"{rule['matches']:,}", f"{rule['unknown']:,}", *_measures(rule["quality"], labelled)]
        for rule in result["rules"]
    ]
    print_table(heading, rows, right=frozenset(range(1, len(heading))))
    for rule in result["rules"]:
        common = [other for other in rule["overlap"] if other["both"]]
        for other in common[:10]:
            print(
                f"  {rule['rule']['name']}: {other['both']:,} in common with rule {other['rule_id']} "
                f"({other['description']}), {other['only_this']:,} only here, {other['only_that']:,} only there"
            )
    if result["sweep"]:
        print()
        points = [
            [point["value"], f"{point['matches']:,}", *_measures(point["quality"], labelled)]
            for point in result["sweep"]
        ]
        print_table(["value", *[name for name in heading[1:] if name != "unknown"]], points, right=frozenset(range(9)))


def _measures(quality: dict[str, Any] | None, labelled: bool) -> list[str]:
    if not labelled or quality is None:
        return []
    values = (quality["precision"], quality["recall"], quality["f1"])
    return ["-" if value is None else f"{value:.4f}" for value in values]
