"""`sentinel alerts`: look at alerts and work on them, one or many, through the API."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sentinel.cli.output import print_table, say
from sentinel.client import Client, models
from sentinel.clock import utc_now
from sentinel.errors import InvalidError
from sentinel.settings import Settings

app = typer.Typer(help="Alerts: list, acknowledge, resolve, assign, judge; one or many.", no_args_is_help=True)

SHOWN_CONFLICTS = 20
AlertId = Annotated[int, typer.Argument(metavar="ID", help="The alert.")]
Pipeline = Annotated[int | None, typer.Option(help="Of this pipeline.")]
Rule = Annotated[int | None, typer.Option(help="Of this rule.")]
Severity = Annotated[str | None, typer.Option(help="critical, warning or info.")]
Event = Annotated[str | None, typer.Option(help="Of the event with this id.")]
Text = Annotated[str | None, typer.Option(help="With this text anywhere in the event.")]
Since = Annotated[str | None, typer.Option(help="From this time on, ISO 8601; UTC unless it names a zone.")]
Until = Annotated[str | None, typer.Option(help="Before this time.")]
Status = Annotated[str | None, typer.Option(help="open, acknowledged, resolved or suppressed.")]
Assignee = Annotated[str | None, typer.Option(help='Whose they are; "": nobody\'s.')]
Judged = Annotated[str | None, typer.Option("--disposition", help="true_positive, false_positive or benign.")]


@app.command("list")
def list_alerts(  # noqa: PLR0917 - options of a command
    pipeline: Pipeline = None,
    rule: Rule = None,
    severity: Severity = None,
    event: Event = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    status: Status = None,
    assignee: Assignee = None,
    disposition: Judged = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
) -> None:
    """List alerts, newest first."""
    wanted = _filter(pipeline, rule, severity, event, text, since, until, status, assignee, disposition)
    with Client.of(Settings.load()) as client:
        page = client.list_alerts(limit=limit, **wanted)
        found = list(page.alerts)
        while len(found) < limit and page.next_before is not None:
            page = client.list_alerts(limit=limit - len(found), before=page.next_before, **wanted)
            found += page.alerts
    rows = [
        [
            str(alert.id),
            alert.alert_timestamp.isoformat(timespec="seconds"),
            alert.severity,
            alert.rule_name or alert.detector or str(alert.rule_id),
            _printable(alert.event_id),
            alert.status,
            alert.assignee or "",
            alert.disposition or "",
        ]
        for alert in found
    ]
    print_table(("id", "at", "severity", "rule", "event", "status", "assignee", "disposition"), rows, frozenset({0}))


@app.command("export")
def export(  # noqa: PLR0917 - options of a command
    out: Annotated[Path | None, typer.Option(help="The file; without it, to the standard output.")] = None,
    pipeline: Pipeline = None,
    rule: Rule = None,
    severity: Severity = None,
    event: Event = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    status: Status = None,
    assignee: Assignee = None,
    disposition: Judged = None,
    limit: Annotated[int | None, typer.Option(min=1, max=10_000_000, help="At most so many.")] = None,
) -> None:
    """Write all alerts that fit as CSV, newest first; a spreadsheet computes none of its cells."""
    wanted = _filter(pipeline, rule, severity, event, text, since, until, status, assignee, disposition)
    with Client.of(Settings.load()) as client:
        if out is None:
            client.export_alerts(sys.stdout.buffer, limit=limit, **wanted)
            return
        # Under its name there is never half a file.
        part = out.with_name(f"{out.name}.part")
        try:
            with part.open("wb") as file:
                written = client.export_alerts(file, limit=limit, **wanted)
            part.replace(out)
        except OSError as error:
            raise InvalidError(f"{out} cannot be written: {error.strerror or error}") from error
        finally:
            part.unlink(missing_ok=True)
    say(f"{written:,} bytes in {out}")


@app.command("show")
def show(alert_id: AlertId) -> None:
    """Show an alert: what matched, where it stands, its notes and its history."""
    with Client.of(Settings.load()) as client:
        alert = client.get_alert(alert_id)
    print(f"alert {alert.id} of {alert.rule_name or alert.detector or alert.rule_id}: {alert.severity}, {alert.status}")
    if alert.rule_description:
        print(_printable(alert.rule_description))
    print(f"event {_printable(alert.event_id)} at {alert.alert_timestamp.isoformat(timespec='seconds')}")
    for name, value in (("assignee", alert.assignee), ("disposition", alert.disposition)):
        if value is not None:
            print(f"{name}: {value}")
    print(json.dumps(alert.transaction_data, ensure_ascii=True))
    for change in reversed(alert.changes):
        said = ", ".join(f"{name}: {change.before[name]} -> {value}" for name, value in change.after.items())
        print(f"{change.changed_at.isoformat(timespec='seconds')} {change.author}: {said}")
    for note in alert.notes:
        print(f"{note.created_at.isoformat(timespec='seconds')} {note.author} notes: {_printable(note.text)}")


@app.command("note")
def note(alert_id: AlertId, text: Annotated[str, typer.Argument(help="Kept as it is.")]) -> None:
    """Write a note beside an alert."""
    with Client.of(Settings.load()) as client:
        client.add_alert_note(alert_id, text)
    print(f"alert {alert_id} has a note more")


@app.command("quality")
def quality(
    rule: Annotated[int, typer.Argument(metavar="RULE", help="The rule.")], since: Since = None, until: Until = None
) -> None:
    """Show what people found a rule's alerts to be, per version; without a range of the last 30 days."""
    with Client.of(Settings.load()) as client:
        found = client.get_rule_quality(rule, since=_moment(since), until=_moment(until))
    rows = [
        [
            "all" if each.version is None else str(each.version),
            str(each.alerts),
            str(each.acknowledged),
            str(each.resolved),
            str(each.true_positives),
            str(each.false_positives),
            str(each.benign),
            _precision(each.precision),
            _seconds(each.seconds_to_acknowledge),
            _seconds(each.seconds_to_resolve),
        ]
        for each in (*found.versions, found.total)
    ]
    heading = ("version", "alerts", "acked", "resolved", "true", "false", "benign", "precision", "s to ack", "s to end")
    print_table(heading, rows, frozenset(range(10)))


@app.command("labels")
def labels(pipeline: Annotated[int, typer.Argument(metavar="PIPELINE", help="The pipeline.")]) -> None:
    """Print what was judged of a pipeline's events as CSV, for `sentinel backtest --labels`.

    An event is true when any of its alerts is a true positive, false when some are false positives and none is a true
    one.
    """
    judged: dict[str, bool] = {}
    with Client.of(Settings.load()) as client:
        for word, is_true in (("false_positive", False), ("true_positive", True)):
            for alert in client.iterate_alerts(pipeline_id=pipeline, disposition=word, limit=1000):
                judged[alert.event_id] = is_true
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("event_id", "label"))
    writer.writerows((event_id, int(is_true)) for event_id, is_true in judged.items())


def _action(status: str | None, *, needs: str = "") -> Callable[..., None]:
    """Return a command that changes alerts, by ids or by filter."""

    def run(  # noqa: PLR0917 - options of a command
        ids: Annotated[
            list[int] | None, typer.Argument(metavar="[ID]...", help="The alerts; else those that fit.")
        ] = None,
        to: Annotated[str | None, typer.Option(help='Give them to somebody; "": to nobody.')] = None,
        judged_as: Annotated[
            str | None, typer.Option("--as", help="true_positive, false_positive, benign; none takes it away.")
        ] = None,
        force: Annotated[bool, typer.Option(help="Take acknowledgements over from others.")] = False,
        pipeline: Pipeline = None,
        rule: Rule = None,
        severity: Severity = None,
        event: Event = None,
        text: Text = None,
        since: Since = None,
        until: Until = None,
        in_status: Annotated[
            str | None, typer.Option(help="Those that are open, acknowledged, resolved or suppressed.")
        ] = None,
        assignee: Assignee = None,
        disposition: Judged = None,
        every: Annotated[bool, typer.Option("--all", help="All alerts there are.")] = False,
        dry_run: Annotated[bool, typer.Option(help="Only count.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    ) -> None:
        changes: dict[str, Any] = {} if status is None else {"status": status}
        if to is not None:
            changes["assignee"] = to or None
        if judged_as is not None:
            changes["disposition"] = None if judged_as == "none" else judged_as
        if needs and needs not in changes:
            raise InvalidError({"assignee": "name somebody: --to NAME", "disposition": "name one: --as WORD"}[needs])
        chosen = _filter(pipeline, rule, severity, event, text, since, until, in_status, assignee, disposition)
        if bool(ids) == bool(chosen or every):
            raise InvalidError(
                "name alerts by their ids, or by filters such as --rule 3 --status open, or all by --all"
            )
        with Client.of(Settings.load()) as client:
            if ids:
                batches = [ids[first : first + 1000] for first in range(0, len(ids), 1000)]
                done = (client.change_alerts(batch, dry_run=dry_run, force=force, **changes) for batch in batches)
                _tell(done, dry_run=dry_run)
                return
            # What comes from now on was not counted, so it is not changed either.
            chosen.setdefault("until", utc_now())
            if not yes and not dry_run:
                counted = sum(
                    each.changed for each in client.change_matching_alerts(chosen, dry_run=True, force=force, **changes)
                )
                typer.confirm(f"Change {counted:,} alerts?", abort=True)
            _tell(client.change_matching_alerts(chosen, dry_run=dry_run, force=force, **changes), dry_run=dry_run)

    return run


for _name, _status, _needs, _help in (
    ("ack", "acknowledged", "", "Acknowledge alerts: I have them."),
    ("resolve", "resolved", "", "Resolve alerts, and say what they were by --as."),
    ("suppress", "suppressed", "", "Put alerts aside: known, and not to be looked at."),
    ("reopen", "open", "", "Open alerts again."),
    ("assign", None, "assignee", "Give alerts to somebody by --to."),
    ("disposition", None, "disposition", "Say what alerts were by --as."),
):
    app.command(_name, help=_help)(_action(_status, needs=_needs))


def _tell(done: Iterable[models.AlertAction], *, dry_run: bool) -> None:
    """Print what was done.

    Raises:
        typer.Exit: With 1, when some alerts were left as they were.
    """
    changed = unchanged = conflicts = missing = 0
    for each in done:
        changed, unchanged = changed + each.changed, unchanged + each.unchanged
        for conflict in each.conflict_details[: max(0, SHOWN_CONFLICTS - conflicts)]:
            say(
                conflict.reason
                if str(conflict.alert_id) in conflict.reason
                else f"{conflict.alert_id}: {conflict.reason}"
            )
        for alert_id in each.missing[: max(0, SHOWN_CONFLICTS - missing)]:
            say(f"there is no alert {alert_id}")
        conflicts, missing = conflicts + each.conflicts, missing + len(each.missing)
    verb = "would be changed" if dry_run else "changed"
    print(f"{changed:,} {verb}, {unchanged:,} as they were, {conflicts:,} in conflict, {missing:,} not there")
    if conflicts or missing:
        raise typer.Exit(1)


def _filter(  # noqa: PLR0917 - as the options stand
    pipeline: int | None,
    rule: int | None,
    severity: str | None,
    event: str | None,
    text: str | None,
    since: str | None,
    until: str | None,
    status: str | None,
    assignee: str | None,
    disposition: str | None,
) -> dict[str, Any]:
    named = {
        "pipeline_id": pipeline,
        "rule_id": rule,
        "severity": severity,
        "event_id": event,
        "text": text,
        "since": _moment(since),
        "until": _moment(until),
        "status": status,
        "assignee": assignee,
        "disposition": disposition,
    }
    return {name: value for name, value in named.items() if value is not None}


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


def _precision(found: models.Precision | None) -> str:
    return "-" if found is None else f"{found.value:.3f} ({found.low:.3f}-{found.high:.3f})"


def _seconds(found: float | None) -> str:
    return "-" if found is None else f"{found:,.0f}"
