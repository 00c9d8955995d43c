"""`sentinel sigma import | check`: Sigma rules as rules of a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentinel.cli.output import say
from sentinel.cli.remote import Url, open_client
from sentinel.client import Client, models
from sentinel.documents import refuse_all
from sentinel.domain.event_schema import EventSchema
from sentinel.errors import InvalidError, NotFoundError
from sentinel.files.sigma_rules import FirstState, apply, compare
from sentinel.sigma.convert import convert_all, read_sigma
from sentinel.sigma.mapping import BUILT_IN, Mapping, load_mapping

app = typer.Typer(help="Sigma rules.", no_args_is_help=True)


@app.callback()
def sigma() -> None:
    """Sigma rules (https://sigmahq.io) as rules of a pipeline."""


@app.command("import")
def import_rules(
    source: Annotated[Path, typer.Argument(help="A file, or a directory with the rules below it.")],
    *,
    pipeline: Annotated[str, typer.Option("--pipeline", help="Id or name of the pipeline.")],
    mapping: Annotated[
        str, typer.Option("--mapping", help=f"A mapping file, or a built-in one: {', '.join(BUILT_IN)}.")
    ] = "",
    state: Annotated[
        FirstState, typer.Option("--state", help="Where new rules begin. In shadow they raise no alerts.")
    ] = "active",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, with the conditions.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Import what can be expressed although other rules cannot.")
    ] = False,
    url: Url = "",
) -> None:
    """Import Sigma rules; imported again, they are changed where they differ. Nothing is done if a rule is refused."""
    sources, problems = read_sigma(source)
    names = load_mapping(mapping) if mapping else Mapping()
    with open_client(url) as client:
        found = _pipeline(client, pipeline)
        fields = [field.model_dump(exclude_none=True) for field in client.get_schema(found.id).fields]
        rules, refused = convert_all(sources, EventSchema.from_json(fields), names)
        problems += refused
        if problems and not (keep_going or dry_run):
            say(f"{len(problems)} of {len(sources) + len(problems) - len(refused)} cannot be imported, so nothing is:")
            refuse_all(problems)
        changes = compare(rules, client.list_rules(found.id))
        for change in changes:
            if dry_run:
                print(f"{change.action} {change.name}: {change.rule.title} ({change.rule.where})")
                print(f"    {change.rule.severity}: {_printable(change.rule.condition)}")
            for warning in change.rule.warnings:
                say(f"{change.rule.where}: warning: rule {change.rule.title!r}: {warning}")
        if not dry_run:
            apply(
                client,
                found.id,
                changes,
                state=state,
                tell=lambda change: print(f"{change.action} {change.name}", flush=True),
            )
    counts = {action: sum(change.action == action for change in changes) for action in ("add", "change", "keep")}
    said = "would be " if dry_run else ""
    print(f"{counts['add']} {said}added, {counts['change']} {said}changed, {counts['keep']} the same")
    if problems:
        for problem in problems:
            say(f"{problem.pointer}: {problem.detail}")
        raise InvalidError(f"{len(problems)} {'rule' if len(problems) == 1 else 'rules'} cannot be imported")


def _printable(text: str) -> str:
    """Return a text without what a terminal would act on."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _pipeline(client: Client, named: str) -> models.Pipeline:
    pipelines = client.list_pipelines()
    for pipeline in pipelines:
        if pipeline.name == named or str(pipeline.id) == named:
            return pipeline
    known = ", ".join(f"{pipeline.id} ({pipeline.name})" for pipeline in pipelines) or "none"
    raise NotFoundError(f"there is no pipeline {named!r}; there are: {known}")
