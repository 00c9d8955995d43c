"""`sentinel rule test` and `explain`: what a rule says of events, by number or name."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sentinel.cli.output import print_table, say
from sentinel.client import Client
from sentinel.client.explain import Explanation
from sentinel.errors import InvalidError, NotFoundError
from sentinel.settings import Settings

Rule = Annotated[str, typer.Argument(metavar="RULE", help="The rule: its number or its name.")]
Pipeline = Annotated[int | None, typer.Option(help="The pipeline, where several have a rule of that name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("test")(run_tests)
    app.command("explain")(explain)


def run_tests(
    rule: Rule,
    pipeline: Pipeline = None,
    expression: Annotated[
        str | None, typer.Option(help="Run them with this, which may become its next version.")
    ] = None,
) -> None:
    """Run the tests beside a rule; exit 1 when one fails."""
    with Client.of(Settings.load()) as client:
        _, rule_id = find_rule(client, rule, pipeline)
        run = client.run_rule_tests(rule_id, expression)
    if not run.tests:
        say(f"rule {rule} has no tests; add one with POST /api/rules/{rule_id}/tests")
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


def explain(
    rule: Rule,
    event: Annotated[str, typer.Argument(help="An event as JSON, or the id or partition:offset of one that came.")],
    pipeline: Pipeline = None,
) -> None:
    """Say why a rule is true, false or unknown for an event."""
    with Client.of(Settings.load()) as client:
        pipeline_id, rule_id = find_rule(client, rule, pipeline)
        if event.lstrip().startswith("{"):
            found = client.explain_event(pipeline_id, event, rule_id=rule_id)
        else:
            found = client.explain(pipeline_id, rule_id, event)
    _show(found)


def find_rule(client: Client, rule: str, pipeline: int | None) -> tuple[int, int]:
    """Return the ids of a rule's pipeline and of the rule.

    Raises:
        NotFoundError: There is no such rule.
        InvalidError: Several pipelines have a rule of that name.
    """
    if rule.isascii() and rule.isdigit():
        return client.get_rule(int(rule)).pipeline_id, int(rule)
    pipelines = [each.id for each in client.list_pipelines()] if pipeline is None else [pipeline]
    found = [(each, known.id) for each in pipelines for known in client.list_rules(each) if known.name == rule]
    if not found:
        raise NotFoundError(f"there is no rule named {rule}; `sentinel rule list` shows those of a pipeline")
    if len(found) > 1:
        several = ", ".join(str(each) for each, _ in found)
        raise InvalidError(f"the pipelines {several} have a rule named {rule}; say which by --pipeline")
    return found[0]


def _show(found: Explanation) -> None:
    print(f"{found.verdict}: {found.rule_expression}")
    for part in found.decided_by:
        values = ", ".join(f"{name} = {json.dumps(value)}" for name, value in part.values.items())
        within = f"  (in {part.rule})" if part.rule else ""
        print(f"  {part.text} is {part.verdict}{f' ({values})' if values else ''}{within}")
    if found.missing:
        print(f"  missing: {', '.join(found.missing)}")
    for lacking in found.not_computable:
        print(f"  has no value: {lacking.text}{f' ({lacking.why})' if lacking.why else ''}")
    if found.dead_letter is not None:
        where = f" at {found.dead_letter.field}" if found.dead_letter.field else ""
        print(f"  it is no event: {found.dead_letter.cause}{where}: {found.dead_letter.detail}")
    for note in found.notes:
        say(f"note: {note}")
