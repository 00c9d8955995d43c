"""`sentinel dead-letters`: look at records that are no events, mend and send them again, or discard them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sentinel.cli.output import print_table, say
from sentinel.cli.remote import Url, open_client
from sentinel.client import Client
from sentinel.clock import utc_now
from sentinel.errors import InvalidError

app = typer.Typer(help="Dead letters: list, show, check, redrive, discard.", no_args_is_help=True)

SHOWN_LEFT = 20
REDRIVEN_AT_ONCE, DISCARDED_AT_ONCE = 100, 500
PipelineId = Annotated[int, typer.Argument(metavar="PIPELINE", help="The pipeline.")]
LetterId = Annotated[int, typer.Argument(metavar="ID", help="The dead letter.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="These; else those that fit.")]
Cause = Annotated[str | None, typer.Option(help="As docs/dead-letters.md lists them.")]
Since = Annotated[str | None, typer.Option(help="Found from this time on, ISO 8601; UTC unless it names a zone.")]
Until = Annotated[str | None, typer.Option(help="Found before this time.")]
All = Annotated[bool, typer.Option("--all", help="All that are open.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
TextFile = Annotated[
    str, typer.Option("--file", help="Take this file as the record's text in place of what is kept; -: standard input.")
]


@app.command("list")
def list_letters(  # noqa: PLR0917 - options of a command
    pipeline: PipelineId,
    cause: Cause = None,
    state: Annotated[str | None, typer.Option(help="open, redriven or discarded.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the records.")] = False,
    url: Url = "",
) -> None:
    """List dead letters, newest first."""
    with open_client(url) as client:
        found = client.dead_letters(
            pipeline,
            cause=cause,
            state=state,
            since=_moment(since),
            until=_moment(until),
            limit=limit,
            raw=as_json,
        )
    if as_json:
        print(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
        return
    rows = [
        [
            str(each.id),
            each.created_at.isoformat(timespec="seconds"),
            each.state,
            each.cause,
            _printable(each.field or ""),
            f"{each.kafka_partition}:{each.kafka_offset}",
            str(each.raw_size_bytes),
            _printable(each.detail)[:80],
        ]
        for each in found
    ]
    heading = ("id", "found", "state", "cause", "field", "record", "bytes", "what is wrong")
    print_table(heading, rows, frozenset({0, 6}))


@app.command("show")
def show(
    pipeline: PipelineId,
    letter: LetterId,
    raw: Annotated[bool, typer.Option("--raw", help="Print the record's text alone, to edit it in a file.")] = False,
    url: Url = "",
) -> None:
    """Show a dead letter: why it is no event, its record, and what became of it."""
    with open_client(url) as client:
        found = client.get_dead_letter(pipeline, letter)
    if raw:
        sys.stdout.write(found.raw_text or "")
        return
    print(f"dead letter {found.id}: {found.cause}, {found.state}")
    print(_printable(found.detail))
    place = f"record {found.kafka_offset} of partition {found.kafka_partition} of {found.kafka_topic}"
    print(f"{place}, {found.raw_size_bytes} bytes, found {found.created_at.isoformat(timespec='seconds')}")
    if found.redrive_of is not None:
        print(f"it is dead letter {found.redrive_of}, redriven; {found.redrive_count} redrives since {found.first_id}")
    if found.changed_at is not None:
        reason = f": {_printable(found.reason)}" if found.reason else ""
        print(f"{found.state} {found.changed_at.isoformat(timespec='seconds')} by {found.changed_by}{reason}")
    for each in found.redrives:
        how = "edited" if each.is_edited else "as it was"
        end = "" if each.failed_as is None else f", which is dead letter {each.failed_as}"
        print(f"sent {how} as record {each.kafka_offset} of partition {each.kafka_partition}{end}")
    print("it has no value" if found.raw_text is None else _printable(found.raw_text))


@app.command("check")
def check(pipeline: PipelineId, letter: LetterId, file: TextFile = "", url: Url = "") -> None:
    """Say whether a record, or a text in its place, would be an event now. Exit code 1: it would not."""
    with open_client(url) as client:
        found = client.check_dead_letter(pipeline, letter, _content(file))
    if found.is_event:
        print("it would be an event")
        return
    print(f"it would be a dead letter: {found.cause}: {_printable(found.detail)}")
    raise typer.Exit(1)


@app.command("redrive")
def redrive(  # noqa: PLR0917 - options of a command
    pipeline: PipelineId,
    ids: Ids = None,
    cause: Cause = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    file: TextFile = "",
    rate: Annotated[float, typer.Option(min=1, max=500, help="Records a second.")] = 50.0,
    force: Annotated[bool, typer.Option("--force", help="Also what would be a dead letter again.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = "",
) -> None:
    """Send dead letters again, as new records of the pipeline's topic. Exit code 1: some were left."""
    chosen = _chosen(ids, cause, since, until, every)
    if file and (ids is None or len(ids) != 1):
        raise InvalidError("--file takes the place of one record: name one dead letter by its id")
    with open_client(url) as client:
        if file and ids and not dry_run:
            client.redrive_dead_letter(pipeline, ids[0], _content(file), only_events=not force)
            print("1 sent, 0 left")
            return
        if file:
            raise InvalidError("with --file use `sentinel dead-letters check` in place of --dry-run")
        if not ids and not dry_run and not yes:
            tally = _redrive(client, pipeline, None, chosen, dry_run=True, only_events=not force, rate=rate)
            _tell(tally, dry_run=True)
            typer.confirm("Send them?", abort=True)
        tally = _redrive(client, pipeline, ids, chosen, dry_run=dry_run, only_events=not force, rate=rate)
    _tell(tally, dry_run=dry_run)
    if tally.left or tally.stopped:
        raise typer.Exit(1)


@app.command("discard")
def discard(  # noqa: PLR0917 - options of a command
    pipeline: PipelineId,
    ids: Ids = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "",
    cause: Cause = None,
    since: Since = None,
    until: Until = None,
    every: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    url: Url = "",
) -> None:
    """Discard open dead letters. They stay, and `reopen` takes it back. Exit code 1: some were left."""
    chosen = _chosen(ids, cause, since, until, every)
    if not reason.strip():
        raise InvalidError("say why: --reason TEXT")
    with open_client(url) as client:
        if not ids and not dry_run and not yes:
            changed, _ = _discard(client, pipeline, reason, None, chosen, dry_run=True)
            typer.confirm(f"Discard {changed:,} dead letters?", abort=True)
        changed, left = _discard(client, pipeline, reason, ids, chosen, dry_run=dry_run)
    print(f"{changed:,} {'would be ' if dry_run else ''}discarded, {left:,} left")
    if left:
        raise typer.Exit(1)


@app.command("reopen")
def reopen(
    pipeline: PipelineId, ids: Annotated[list[int], typer.Argument(metavar="ID...", help="These.")], url: Url = ""
) -> None:
    """Take back that dead letters were discarded. Exit code 1: some were not."""
    with open_client(url) as client:
        reports = [client.reopen_dead_letters(pipeline, part) for part in _parts(ids, DISCARDED_AT_ONCE)]
    left = sum(len(each.unchanged) + len(each.missing) for each in reports)
    print(f"{sum(each.changed for each in reports):,} open again, {left:,} left")
    if left:
        raise typer.Exit(1)


class _Tally:
    """What the requests of a redrive did together."""

    def __init__(self) -> None:
        self.sent = self.left = self.events = 0
        self.by_cause: Counter[str] = Counter()
        self.details: list[str] = []
        self.stopped = ""


def _redrive(
    client: Client,
    pipeline: int,
    ids: Sequence[int] | None,
    chosen: dict[str, Any],
    *,
    dry_run: bool,
    only_events: bool,
    rate: float,
) -> _Tally:
    tally = _Tally()
    limit = int(min(REDRIVEN_AT_ONCE, rate * 10))
    parts: list[Sequence[int] | None] = [*_parts(ids, limit)] if ids else [None]
    for part in parts:
        after: int | None = 0
        while after is not None and not tally.stopped:
            report = client.redrive_dead_letters(
                pipeline,
                ids=part,
                chosen=chosen,
                after=after,
                limit=limit,
                only_events=only_events,
                dry_run=dry_run,
                records_per_second=rate,
            )
            tally.sent += report.sent
            tally.left += report.left
            tally.events += report.events or 0
            tally.by_cause.update(report.by_cause)
            tally.details += [f"{each.id}: {each.detail}" for each in report.left_details]
            tally.stopped = report.stopped
            after = report.next
    return tally


def _tell(tally: _Tally, *, dry_run: bool) -> None:
    for detail in tally.details[:SHOWN_LEFT]:
        say(_printable(detail))
    if dry_run:
        print(f"{tally.events:,} would be events, {sum(tally.by_cause.values()):,} dead letters again")
        for cause, count in tally.by_cause.most_common():
            print(f"    {count:,} {cause}")
    else:
        print(f"{tally.sent:,} sent, {tally.left:,} left")
    if tally.stopped:
        say(f"it stopped early: {tally.stopped}; the same command goes on")


def _discard(
    client: Client, pipeline: int, reason: str, ids: Sequence[int] | None, chosen: dict[str, Any], *, dry_run: bool
) -> tuple[int, int]:
    changed = left = 0
    parts: list[Sequence[int] | None] = [*_parts(ids, DISCARDED_AT_ONCE)] if ids else [None]
    for part in parts:
        after: int | None = 0
        while after is not None:
            report = client.discard_dead_letters(
                pipeline, reason, ids=part, chosen=chosen, after=after, dry_run=dry_run
            )
            changed += report.changed
            left += len(report.unchanged) + len(report.missing)
            after = report.next
    return changed, left


def _chosen(
    ids: Sequence[int] | None, cause: str | None, since: str | None, until: str | None, every: bool
) -> dict[str, Any]:
    """Return the filter; what is found from now on was not counted, so it is left alone."""
    named = {"cause": cause, "since": _moment(since), "until": _moment(until)}
    wanted = {name: value for name, value in named.items() if value is not None}
    if bool(ids) == bool(wanted or every):
        raise InvalidError(
            "name dead letters by their ids, or by filters such as --cause missing_field, or all that are open by --all"
        )
    return wanted if ids else {"until": utc_now(), **wanted}


def _parts(ids: Sequence[int], most: int) -> list[Sequence[int]]:
    return [ids[start : start + most] for start in range(0, len(ids), most)]


def _content(file: str) -> str | None:
    if not file:
        return None
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{file!r} cannot be read as text: {error}") from error


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(f"{text!r} is no time; write it as 2026-01-31T12:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _printable(text: str) -> str:
    """Return a text that a terminal shows and does not obey."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
