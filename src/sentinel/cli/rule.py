"""`sentinel rule`: the rules of a pipeline, their tests and their life, through the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from sentinel.cli import rule_explain, rule_life
from sentinel.cli.output import print_table, say
from sentinel.client import Client, models
from sentinel.errors import InvalidRuleError
from sentinel.settings import Settings

app = typer.Typer(
    help="Rules: add, check, change, test, explain, try, roll out, take back, silence.", no_args_is_help=True
)
rule_life.register(app)
rule_explain.register(app)

RuleId = Annotated[int, typer.Argument(metavar="ID", help="The rule.")]
Expression = Annotated[str, typer.Argument(help="A condition in Spark SQL, or `when ... then ...`.")]
Severity = Annotated[str | None, typer.Option(help="critical, warning or info; the short form may name it itself.")]
Comment = Annotated[str, typer.Option(help="Why; kept with the change.")]


@app.command("list")
def list_rules(pipeline: Annotated[int, typer.Option(help="The pipeline.")]) -> None:
    """List the rules of a pipeline that are not archived."""
    with Client.of(Settings.load()) as client:
        rules = client.list_rules(pipeline)
    rows = [
        [str(rule.id), rule.name, _state(rule), rule.severity, str(rule.version), rule_life.shortened(_text(rule))]
        for rule in rules
    ]
    print_table(("id", "name", "state", "severity", "version", "rule"), rows, frozenset({0, 4}))


@app.command("show")
def show(rule_id: RuleId) -> None:
    """Show a rule: what it says, what is tried beside it, all its versions."""
    with Client.of(Settings.load()) as client:
        rule, versions = client.get_rule(rule_id), client.list_rule_versions(rule_id)
    print(f"{rule.name} (rule {rule.id} of pipeline {rule.pipeline_id}): {_state(rule)}, {rule.severity}")
    if rule.description:
        print(rule.description)
    print(_text(rule))
    if rule.candidate is not None:
        said = rule.candidate.short_form or rule.candidate.rule_expression
        print(f"tried beside it ({rule.candidate.state}), version {rule.candidate.version}: {said}")
    for issue in rule.issues:
        print(f"{issue.severity}: {issue.message}")
    rows = [
        [
            str(each.version),
            each.created_at.isoformat(timespec="seconds"),
            each.created_by,
            rule_life.shortened(each.short_form or each.rule_expression),
            each.comment,
        ]
        for each in versions
    ]
    print_table(("version", "made at", "by", "rule", "why"), rows, frozenset({0}))


@app.command("check")
def check(expression: Expression, pipeline: Annotated[int, typer.Option(help="The pipeline.")]) -> None:
    """Check an expression against a pipeline's schema; exit 1 when it cannot be a rule."""
    with Client.of(Settings.load()) as client:
        checked = client.check_rule(expression, pipeline_id=pipeline)
    _tell_all(expression, checked.issues)
    if not checked.valid:
        raise typer.Exit(1)
    print(checked.rule_expression)


@app.command("add")
def add(  # noqa: PLR0917 - options of a command
    expression: Expression,
    pipeline: Annotated[int, typer.Option(help="The pipeline.")],
    severity: Severity = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    name: Annotated[str | None, typer.Option(help="How other rules refer to it.")] = None,
    state: Annotated[str, typer.Option(help="draft, shadow, active or paused.")] = "active",
) -> None:
    """Add a rule; a running job takes it within seconds."""
    with Client.of(Settings.load()) as client:
        try:
            rule = client.add_rule(pipeline, expression, severity, description, name=name, state=state)
        except InvalidRuleError as error:
            raise _told(expression, error) from error
    _tell_all(expression, rule.issues)
    print(f"rule {rule.id} ({rule.name}) is {rule.state}")


@app.command("change")
def change(
    rule_id: RuleId,
    expression: Expression,
    severity: Annotated[str | None, typer.Option(help="Without it the rule keeps its own.")] = None,
    description: Annotated[str | None, typer.Option(help="Without it the rule keeps its own.")] = None,
    comment: Comment = "",
) -> None:
    """Write the next version of a rule. `rollback` goes back to an earlier one."""
    with Client.of(Settings.load()) as client:
        rule = client.get_rule(rule_id)
        chosen = severity or (None if expression.lstrip().lower().startswith("when") else rule.severity)
        said = rule.description if description is None else description
        try:
            changed = client.change_rule(
                rule_id, expression, chosen, said, comment=comment, if_version=rule.row_version
            )
        except InvalidRuleError as error:
            raise _told(expression, error) from error
    _tell_all(expression, changed.issues)
    print(f"{changed.name} is at version {changed.version}")


def _state(rule: models.Rule) -> str:
    return rule.state if rule.candidate is None else f"{rule.state} (+ {rule.candidate.state})"


def _text(rule: models.Rule) -> str:
    return rule.short_form or rule.rule_expression


def _told(expression: str, error: InvalidRuleError) -> Exception:
    """Show every issue with its place, which ends the command; without issues the error itself does."""
    for issue in error.issues:
        _tell(expression, issue["severity"], issue.get("start"), issue["message"], issue.get("suggestion"))
    return typer.Exit(1) if error.issues else error


def _tell_all(expression: str, issues: Sequence[models.Issue]) -> None:
    for issue in issues:
        _tell(expression, issue.severity, issue.start, issue.message, issue.suggestion)


def _tell(expression: str, severity: str, start: int | None, message: str, suggestion: str | None) -> None:
    say(f"{severity}: {message}{f' {suggestion}' if suggestion else ''}")
    if start is not None and "\n" not in expression:
        say(f"  {expression}\n  {' ' * start}^")
