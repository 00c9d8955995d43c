"""The commands of `sentinel rule` that move rules: states, candidates, rollouts, rollback, mutes and snoozes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from sentinel.cli.output import print_table
from sentinel.client import Client, models
from sentinel.settings import Settings

_SHOWN = 80

RuleId = Annotated[int, typer.Argument(metavar="ID", help="The rule.")]
Comment = Annotated[str, typer.Option(help="Why; kept with the change.")]
Share = Annotated[float | None, typer.Option(help="For a rollout: percent of the entities it counts for.")]
Entity = Annotated[str | None, typer.Option(help="For a rollout: the field whose values are shared out.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    commands: dict[str, Callable[..., None]] = {
        "state": set_state,
        "propose": propose,
        "try": set_candidate,
        "promote": promote,
        "abort": abort,
        "rollout": rollout,
        "rollback": roll_back,
        "mute": mute,
        "snooze": snooze,
        "mutes": list_mutes,
        "unmute": end_mute,
    }
    for name, command in commands.items():
        app.command(name)(command)


def set_state(
    rule_id: RuleId,
    state: Annotated[str, typer.Argument(help="draft, shadow, rollout, active, paused or archived (for good).")],
    share: Share = None,
    entity: Entity = None,
    comment: Comment = "",
) -> None:
    """Move a rule to another state."""
    with _client() as client:
        print(_told(client.set_rule_state(rule_id, state, share_percent=share, entity=entity, comment=comment)))


def propose(
    rule_id: RuleId,
    expression: Annotated[str, typer.Argument(help="What the rule might say.")],
    severity: Annotated[str | None, typer.Option(help="Without it the rule's own.")] = None,
    comment: Comment = "",
) -> None:
    """Write a candidate beside the version in force; `try` puts it into shadow or rollout."""
    with _client() as client:
        rule = client.get_rule(rule_id)
        chosen = severity or (None if expression.lstrip().lower().startswith("when") else rule.severity)
        print(_told(client.propose_rule(rule_id, expression, chosen, rule.description, comment=comment)))


def set_candidate(
    rule_id: RuleId,
    state: Annotated[str, typer.Argument(help="draft, shadow or rollout.")],
    share: Share = None,
    entity: Entity = None,
    comment: Comment = "",
) -> None:
    """Try the candidate of a rule on live events, or change the share of its rollout."""
    with _client() as client:
        print(_told(client.set_candidate_state(rule_id, state, share_percent=share, entity=entity, comment=comment)))


def promote(rule_id: RuleId, comment: Comment = "") -> None:
    """Make what is tried the rule."""
    with _client() as client:
        print(_told(client.promote_rule(rule_id, comment)))


def abort(rule_id: RuleId, comment: Comment = "") -> None:
    """Give up what is tried."""
    with _client() as client:
        print(_told(client.abort_rule(rule_id, comment)))


def rollout(rule_id: RuleId) -> None:
    """Show what a rollout has come to, arm by arm."""
    with _client() as client:
        found = client.rollout(rule_id)
    rows = [
        [
            f"{arm.share_percent:g}",
            arm.arm,
            str(arm.version),
            str(arm.match_count),
            str(arm.entity_count),
        ]
        for arm in found.arms
    ]
    print_table(("share %", "arm", "version", "matches", "entities"), rows, frozenset({0, 2, 3, 4}))
    if found.guard_rail:
        print(found.guard_rail)


def roll_back(
    rule_id: RuleId,
    version: Annotated[int, typer.Argument(help="The version to go back to; `show` lists them.")],
    comment: Comment = "",
) -> None:
    """Write the content of an earlier version as the next one."""
    with _client() as client:
        print(_told(client.roll_back_rule(rule_id, version, comment)))


def mute(
    rule_id: RuleId,
    reason: Annotated[str, typer.Option(help="Why; kept with it.")],
    until: Annotated[datetime | None, typer.Option(help="When it ends by itself, in UTC.")] = None,
) -> None:
    """Silence a rule: it is evaluated and counted, and alerts nobody."""
    with _client() as client:
        made = client.mute_rule(client.get_rule(rule_id).pipeline_id, rule_id, reason, expires_at=_utc(until))
    print(f"mute {made.id} silences rule {rule_id}{_until(made)}")


def snooze(  # noqa: PLR0917 - options of a command
    field: Annotated[str, typer.Argument(help="An entity of the schema, such as user_id.")],
    value: Annotated[str, typer.Argument(help="Whom or what to leave alone.")],
    pipeline: Annotated[int, typer.Option(help="The pipeline.")],
    until: Annotated[datetime, typer.Option(help="When it ends by itself, in UTC.")],
    reason: Annotated[str, typer.Option(help="Why; kept with it.")],
    rule: Annotated[int | None, typer.Option(help="For this rule alone.")] = None,
) -> None:
    """Silence an entity until a time, for one rule or for all."""
    with _client() as client:
        made = client.snooze(pipeline, field, value, reason, expires_at=_aware(until), rule_id=rule)
    print(f"mute {made.id} silences {field} {value}{_until(made)}")


def list_mutes(
    pipeline: Annotated[int, typer.Option(help="The pipeline.")],
    ended: Annotated[bool, typer.Option(help="Those that have ended as well.")] = False,
) -> None:
    """List mutes and snoozes, newest first."""
    with _client() as client:
        mutes = client.list_mutes(pipeline, ended=ended)
    rows = [
        [
            str(each.id),
            "all" if each.rule_id is None else str(each.rule_id),
            "" if each.field is None else f"{each.field}={each.value}",
            _time(each.expires_at),
            _time(each.ended_at),
            each.created_by,
            each.reason,
        ]
        for each in mutes
    ]
    print_table(("id", "rule", "entity", "until", "ended", "by", "why"), rows, frozenset({0}))


def end_mute(mute_id: Annotated[int, typer.Argument(metavar="ID", help="The mute or snooze.")]) -> None:
    """End a mute or snooze before its time."""
    with _client() as client:
        print(f"mute {client.end_mute(mute_id).id} has ended")


def shortened(text: str) -> str:
    """Return a rule on one line that fits into a table."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


def _client() -> Client:
    return Client.of(Settings.load())


def _told(rule: models.Rule) -> str:
    tried = f"; version {rule.candidate.version} beside it is in {rule.candidate.state}" if rule.candidate else ""
    share = f"; {rule.rollout.share_percent:g} % of {rule.rollout.entity}" if rule.rollout else ""
    return f"{rule.name} is {rule.state} at version {rule.version}{tried}{share}"


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else _aware(moment)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")


def _until(made: models.Mute) -> str:
    return "" if made.expires_at is None else f" until {_time(made.expires_at)}"
