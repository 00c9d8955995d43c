"""`sentinel detectors` and `sentinel run-rules`: scheduled detectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sentinel.cli.output import print_table, say
from sentinel.cli.remote import Url, open_client
from sentinel.client.detectors import Detector
from sentinel.domain.detector import DetectorRun, RunState
from sentinel.errors import InvalidError
from sentinel.settings import Settings
from sentinel.wiring import Backend
from sentinel.wiring_detectors import build_runner

app = typer.Typer(help="Detectors: checks over windows of time, on a schedule.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The detector.")]
Values = Annotated[
    list[str] | None,
    typer.Argument(help="name=value of parameters; value as JSON, @file reads it, empty: the default."),
]
Every = Annotated[int | None, typer.Option(help="Run every so many seconds.")]
Cron = Annotated[str, typer.Option(help="Run by a cron expression of five fields.")]
Zone = Annotated[str, typer.Option("--time-zone", help="Of the cron expression: IANA's name.")]
At = Annotated[
    str, typer.Option(help="Evaluate what ended in the late_hours before this time (ISO 8601 with its zone).")
]
Only = Annotated[
    list[str] | None, typer.Option("--name", help="This detector only; repeatable. Default: all that are on.")
]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="As --name.", show_default=False)]


@app.command("list")
def list_detectors(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False, url: Url = ""
) -> None:
    """List the detectors with what came of their last run."""
    with open_client(url) as client:
        found = client.list_detectors()
    if as_json:
        print(json.dumps([detector.model_dump(mode="json") for detector in found], indent=2))
        return
    heading = ("detector", "kind", "mode", "runs", "schedule", "last run", "findings")
    print_table(heading, [_row(detector) for detector in found], right=frozenset({6}))
    for detector in found:
        if detector.last_run is not None and detector.last_run.error is not None:
            say(f"{detector.name}: {detector.last_run.error}")


@app.command("kinds")
def list_kinds(*, url: Url = "") -> None:
    """List the kinds of detectors with the defaults of their parameters."""
    with open_client(url) as client:
        for kind in client.list_detector_kinds():
            print(f"{kind.name}: {kind.title}")
            for name, value in kind.defaults.items():
                print(f"    {name}={json.dumps(value)}")


@app.command("add")
def add(
    name: Name,
    kind: Annotated[str, typer.Argument(help="As `sentinel detectors kinds` lists them.")],
    values: Values = None,
    *,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    every: Every = None,
    cron: Cron = "",
    time_zone: Zone = "UTC",
    url: Url = "",
) -> None:
    """Set up a detector, which is on."""
    with open_client(url) as client:
        made = client.create_detector(
            name,
            kind,
            parameters={key: value for key, value in _parameters(values).items() if value is not None},
            schedule=_schedule(every, cron, time_zone),
            description=description,
        )
    print(f"{made.name} runs first at {made.next_run_at}")


@app.command("set")
def change(
    name: Name,
    values: Values = None,
    *,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    every: Every = None,
    cron: Cron = "",
    time_zone: Zone = "UTC",
    if_version: Annotated[int | None, typer.Option(min=0, help="Refuse if it is at another version.")] = None,
    url: Url = "",
) -> None:
    """Change parameters or the schedule of a detector."""
    changes: dict[str, Any] = {}
    if values:
        changes["parameters"] = _parameters(values)
    if description is not None:
        changes["description"] = description
    schedule = _schedule(every, cron, time_zone)
    if schedule is not None:
        changes["schedule"] = schedule
    if not changes:
        raise InvalidError("nothing is to be changed; give name=value of a parameter, --every, --cron or --description")
    with open_client(url) as client:
        changed = client.change_detector(name, if_version=if_version, **changes)
    print(f"{changed.name} is at version {changed.version}")


@app.command("enable")
def enable(name: Name, *, url: Url = "") -> None:
    """Switch a detector on."""
    with open_client(url) as client:
        changed = client.change_detector(name, mode="on")
    print(f"{changed.name} runs next at {changed.next_run_at}")


@app.command("disable")
def disable(name: Name, *, url: Url = "") -> None:
    """Switch a detector off. Its alerts stay."""
    with open_client(url) as client:
        client.change_detector(name, mode="off")
    print(f"{name} is off")


@app.command("delete")
def delete(name: Name, *, url: Url = "") -> None:
    """Delete a detector that is not built in. Its alerts stay."""
    with open_client(url) as client:
        client.delete_detector(name)
    print(f"{name} is deleted")


@app.command("runs")
def list_runs(name: Name, *, limit: Annotated[int, typer.Option(min=1, max=500)] = 20, url: Url = "") -> None:
    """Show the newest runs of a detector."""
    with open_client(url) as client:
        found = client.list_detector_runs(name, limit=limit)
    heading = ("started", "cause", "state", "windows", "findings", "fired", "amended")
    rows = [
        [
            run.started_at.isoformat(timespec="seconds"),
            run.cause,
            run.state,
            *map(str, (run.window_count, run.finding_count, run.fired_count, run.amended_count)),
        ]
        for run in found
    ]
    print_table(heading, rows, right=frozenset({3, 4, 5, 6}))
    for run in found:
        if run.error is not None:
            say(f"{run.started_at.isoformat(timespec='seconds')}: {run.error}")


@app.command("run")
def run(names: Names = None, *, at: At = "", name: Only = None) -> None:
    """Run detectors now, without the worker: for cron, EventBridge or a CronJob. Repeating it is harmless.

    Speaks to PostgreSQL, not to the API. Exit code 0: all ran; 1: one failed, and standard error says which and why.
    """
    _run(at, [*(names or []), *(name or [])])


def run_rules(*, at: At = "", name: Only = None) -> None:
    """Run the detectors, as `sentinel detectors run` does."""
    _run(at, name or [])


def _run(at: str, names: Sequence[str]) -> None:
    moment = _moment(at) if at else None
    settings = Settings.load()
    backend = Backend(settings, pool_size=3)
    backend.open()
    try:
        runner = build_runner(settings, backend)
        with backend.unit(settings.tenant, "cli") as unit:
            chosen = names or [found.definition.name for found in unit.detectors.list() if found.definition.is_enabled]
            definitions = [unit.detectors.to_run(each) for each in chosen]
        runs = [runner.run_requested(settings.tenant, each, moment, requested_by="cli") for each in definitions]
    finally:
        backend.close()
    if not runs:
        say("no detector is on; `sentinel detectors enable NAME` switches one on")
        return
    print_table(
        ("detector", "state", "windows", "findings", "fired", "amended"),
        [_outcome(each) for each in runs],
        right=frozenset({2, 3, 4, 5}),
    )
    failed = [each for each in runs if each.state is RunState.FAILED]
    for each in failed:
        say(f"{each.detector} failed: {each.error}")
    if failed:
        raise typer.Exit(1)


def _outcome(run: DetectorRun) -> list[str]:
    counts = (run.window_count, run.finding_count, run.fired_count, run.amended_count)
    return [run.detector, run.state.value, *map(str, counts)]


def _row(detector: Detector) -> list[str]:
    schedule, last = detector.schedule, detector.last_run
    when = f"every {schedule.interval_seconds} s" if schedule.cron is None else f"{schedule.cron} {schedule.time_zone}"
    return [
        detector.name,
        detector.kind,
        detector.mode,
        "yes" if detector.is_enabled else "no",
        when,
        "-" if last is None else f"{last.state} {last.started_at.isoformat(timespec='seconds')}",
        "-" if last is None else str(last.finding_count),
    ]


def _schedule(every: int | None, cron: str, time_zone: str) -> dict[str, Any] | None:
    if every is not None and cron:
        raise InvalidError("a schedule has either --every or --cron")
    if every is not None:
        return {"interval_seconds": every}
    return {"cron": cron, "time_zone": time_zone} if cron else None


def _parameters(values: Sequence[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in values or ():
        name, separator, value = text.partition("=")
        if not separator:
            raise InvalidError(f"{text!r} is not name=value")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    if not text:
        return None
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidError(f"{text[1:]!r} cannot be read: {error}") from error
    try:
        return json.loads(text)
    except ValueError:
        return text


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidError(f"{text!r} is no time with its zone, such as 2026-01-31T12:00:00Z")
    return found.astimezone(UTC)
