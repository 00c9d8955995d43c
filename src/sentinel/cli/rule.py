"""`sentinel rule`: what is done about single rules, through the API."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinel.cli.output import print_table, say
from sentinel.client import Client
from sentinel.settings import Settings

app = typer.Typer(help="Single rules.", no_args_is_help=True)


@app.callback()
def rule() -> None:
    """Do something about a single rule."""


@app.command("test")
def run_tests(
    rule_id: Annotated[int, typer.Argument(metavar="ID", help="The rule.")],
    expression: Annotated[
        str | None, typer.Option(help="Run them with this, which may become its next version.")
    ] = None,
) -> None:
    """Run the tests beside a rule; exit 1 when one fails."""
    with Client.of(Settings.load()) as client:
        run = client.run_rule_tests(rule_id, expression)
    if not run.tests:
        say(f"rule {rule_id} has no tests; add one with POST /api/rules/{rule_id}/tests")
        return
    rows = [
        ["passed" if each.passed else "FAILED", each.name, each.expected, each.outcome, each.detail]
        for each in run.tests
    ]
    print_table(("", "test", "expected", "outcome", "why"), rows)
    failed = sum(not each.passed for each in run.tests)
    say(f"{len(run.tests) - failed} of {len(run.tests)} tests pass with {run.rule_expression}")
    if failed:
        raise typer.Exit(1)
