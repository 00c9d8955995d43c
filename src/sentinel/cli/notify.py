"""`sentinel notify`: who is told of what, why, and what became of it, through the API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from sentinel.cli.output import print_table, say
from sentinel.cli.remote import Url, open_client
from sentinel.documents import read_file
from sentinel.errors import InvalidError

app = typer.Typer(help="Notifications: who is told of what, and why.", no_args_is_help=True)

AlertId = Annotated[int, typer.Argument(metavar="ALERT", help="The alert.")]
Channel = Annotated[str | None, typer.Option(help="Of this channel.")]
Reason = Annotated[str | None, typer.Option(help="Whose last try failed for this reason, as status_500.")]


@app.command("policy")
def policy(
    file: Annotated[
        Path | None, typer.Argument(help="YAML or JSON: put it in force. Left out: print the one in force.")
    ] = None,
    comment: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    if_version: Annotated[int | None, typer.Option(help="Only if this version is in force.")] = None,
    url: Url = "",
) -> None:
    """Print the policy as YAML, or put one in force."""
    with open_client(url) as client:
        if file is None:
            found = client.get_notification_policy()
            say(f"version {found.version}")
            print(yaml.safe_dump(found.policy, sort_keys=False, allow_unicode=True), end="")
            return
        made = client.replace_notification_policy(_read(file), comment=comment, if_version=if_version)
    print(f"version {made.version} is in force")


@app.command("why")
def why(alert: AlertId, url: Url = "") -> None:
    """Say why somebody was told of an alert, or nobody: every decision and every try, in order."""
    with open_client(url) as client:
        found = client.why(alert)
    print(found.summary)
    if found.fired is not None and found.fired.fire_count > 1:
        print(f"the same fired {found.fired.fire_count} times since alert {found.fired.first_alert_id}")
    rows = [
        [
            step.at.isoformat(timespec="milliseconds"),
            step.outcome,
            step.channel,
            step.route,
            _line(step.reason),
        ]
        for step in found.steps
    ]
    if rows:
        print_table(("at", "outcome", "channel", "route", "reason"), rows)


@app.command("route")
def route(  # noqa: PLR0917 - options of a command
    alert: Annotated[int | None, typer.Option(help="An alert that there is; else one is imagined.")] = None,
    pipeline: Annotated[str, typer.Option(help="Its name.")] = "",
    rule: Annotated[str, typer.Option(help="Its name.")] = "",
    severity: Annotated[str, typer.Option(help="critical, warning or info.")] = "warning",
    tag: Annotated[list[str] | None, typer.Option(help="A tag; repeatable.")] = None,
    entity: Annotated[list[str] | None, typer.Option(help="field=value; repeatable.")] = None,
    notify: Annotated[list[str] | None, typer.Option(help="What its rule asks for, as slack:#ops; repeatable.")] = None,
    at: Annotated[str | None, typer.Option(help="A time with its zone; now.")] = None,
    file: Annotated[Path | None, typer.Option(help="A policy to try instead of the one in force.")] = None,
    url: Url = "",
) -> None:
    """Say where an alert would go, and send nothing."""
    wanted: dict[str, Any] = {
        "alert_id": alert,
        "pipeline": pipeline,
        "rule": rule,
        "severity": severity,
        "tags": tag or [],
        "entities": dict(_pair(text) for text in entity or []),
        "notify": notify or [],
        "at": at,
        "policy": None if file is None else _read(file),
    }
    with open_client(url) as client:
        found = client.dry_route(**wanted)
    for target in found.targets:
        when = target.muted_by or f"told {'' if target.told_at is None else target.told_at.isoformat()}"
        route_name = repr(target.route) if target.route else "the defaults"
        print(f"{target.channel}: by {route_name}, {when}")
        if target.quiet_until:
            print(f"  quiet hours until {target.quiet_until.isoformat()}")
        if target.group:
            print(f"  together with others of {_labels(target.group)}")
        if target.escalation:
            print(f"  escalated as {target.escalation!r} says")
    for refused in found.refused:
        print(f"{refused.channel or 'nobody'}: {refused.outcome}: {_line(refused.reason)}")


@app.command("silence")
def silence(
    matchers: Annotated[list[str], typer.Argument(help="""As 'rule="large"' 'entity.user_id="u-1"'; all must hold.""")],
    comment: Annotated[str, typer.Option(help="Why.")],
    hours: Annotated[float, typer.Option(min=0.01, help="How long.")] = 1.0,
    url: Url = "",
) -> None:
    """Tell nobody of certain alerts for a while; they are raised all the same."""
    with open_client(url) as client:
        made = client.add_silence(matchers, datetime.now(UTC) + timedelta(hours=hours), comment)
    print(f"silence {made.id} until {made.ends_at.isoformat(timespec='seconds')}")


@app.command("silences")
def silences(
    expired: Annotated[bool, typer.Option(help="Those that are over as well.")] = False, url: Url = ""
) -> None:
    """List silences, newest first."""
    with open_client(url) as client:
        found = client.list_silences(expired=expired)
    rows = [
        [
            str(each.id),
            each.status,
            each.ends_at.isoformat(timespec="seconds"),
            ", ".join(each.matchers),
            each.created_by,
            _line(each.comment),
        ]
        for each in found
    ]
    print_table(("id", "status", "until", "matchers", "by", "comment"), rows, frozenset({0}))


@app.command("unsilence")
def unsilence(silence_id: Annotated[int, typer.Argument(metavar="SILENCE")], url: Url = "") -> None:
    """End a silence before its time."""
    with open_client(url) as client:
        ended = client.end_silence(silence_id)
    print(f"silence {ended.id} is over")


@app.command("deliveries")
def deliveries(  # noqa: PLR0917 - options of a command
    channel: Channel = None,
    state: Annotated[str | None, typer.Option(help="queued, sending, sent or dead.")] = None,
    alert: Annotated[int | None, typer.Option(help="Of this alert.")] = None,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    url: Url = "",
) -> None:
    """List deliveries, newest first."""
    with open_client(url) as client:
        found = client.list_deliveries(channel=channel, state=state, alert_id=alert, reason=reason, limit=limit)
    rows = [
        [
            each.id,
            each.created_at.isoformat(timespec="seconds"),
            each.channel,
            each.kind,
            each.state,
            str(each.alert_count),
            str(each.attempt_count),
            each.last_reason,
        ]
        for each in found
    ]
    print_table(("id", "made", "channel", "kind", "state", "alerts", "tries", "last failure"), rows, frozenset({5, 6}))


@app.command("show")
def show(delivery: Annotated[str, typer.Argument(metavar="DELIVERY")], url: Url = "") -> None:
    """Show a delivery: what it says, and every try."""
    with open_client(url) as client:
        found = client.get_delivery(delivery)
    print(f"{found.id} to {found.channel} ({found.channel_kind}): {found.kind}, {found.state}")
    for attempt in found.attempts:
        again = f", again at {attempt.next_attempt_at.isoformat(timespec='seconds')}" if attempt.next_attempt_at else ""
        said = _line(f"{attempt.reason} {attempt.detail}".strip())
        print(
            f"  {attempt.started_at.isoformat(timespec='seconds')} try {attempt.attempt}: {attempt.outcome}"
            f" in {attempt.seconds:.3f} s {said}{again}"
        )
    print(json.dumps(found.content, ensure_ascii=True, indent=1))


@app.command("redrive")
def redrive(  # noqa: PLR0917 - options of a command
    channel: Channel = None,
    reason: Reason = None,
    rate: Annotated[int, typer.Option(min=1, max=6000, help="A minute.")] = 60,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 1000,
    dry_run: Annotated[bool, typer.Option(help="Only count.")] = False,
    insist: Annotated[bool, typer.Option(help="Also those that were sent again three times already.")] = False,
    url: Url = "",
) -> None:
    """Send dead deliveries again, oldest first, at a rate."""
    with open_client(url) as client:
        done = client.redrive_deliveries(
            channel=channel, reason=reason, rate_per_minute=rate, limit=limit, dry_run=dry_run, insist=insist
        )
    verb = "would be" if dry_run else "are"
    until = f", until {done.ends_at.isoformat(timespec='seconds')}" if done.ends_at else ""
    print(f"{done.count} {verb} sent again{until}; {done.looped} left alone, {done.left} more fit")


@app.command("audit")
def audit(url: Url = "") -> None:
    """List deliveries whose next try lies in the past. Exit code 1 when there are some."""
    with open_client(url) as client:
        found = client.overdue_deliveries()
    if not found:
        print("no delivery is overdue")
        return
    rows = [[each.id, each.channel, each.next_attempt_at.isoformat(timespec="seconds"), each.cause] for each in found]
    print_table(("id", "channel", "due", "cause"), rows)
    raise typer.Exit(1)


def _read(file: Path) -> dict[str, Any]:
    documents = read_file(file)
    if len(documents) != 1:
        raise InvalidError(f"{file} holds {len(documents)} documents; a policy is one")
    found = documents[0].value
    if not isinstance(found, dict):
        raise InvalidError(f"{file} is no policy: it holds {type(found).__name__}, not members with values")
    # YAML knows dates, JSON does not.
    return dict(json.loads(json.dumps(found, default=str)))


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidError(f"{text!r} is no field=value")
    return name, value


def _labels(labels: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in labels.items())


def _line(text: str) -> str:
    """Return text of others on one line, without what a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
