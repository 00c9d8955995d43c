"""`sentinel plan | apply | export`: configuration as files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sentinel.cli.output import say
from sentinel.cli.remote import Url, open_client
from sentinel.files.export import documents, text_of, write
from sentinel.files.loading import load
from sentinel.files.plan import Plan, apply_plan, make_plan
from sentinel.files.show import as_json, lines_of

Source = Annotated[Path, typer.Option("-f", "--file", help="A YAML file, or a directory of them.")]
Prune = Annotated[bool, typer.Option("--prune", help="Archive rules of declared pipelines that no file declares.")]

CHANGES_EXIT_CODE = 3  # 2 is what a wrong command line ends with


def plan(
    source: Source,
    *,
    prune: Prune = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 3 where there are changes.")
    ] = False,
    as_json_text: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Url = "",
) -> None:
    """Show what apply would do: additions, changes, removals. Changes nothing."""
    declared = load(source)
    with open_client(url) as client:
        found = make_plan(client, declared, prune=prune)
    _print(found, as_json_text)
    if found.changes and detailed_exitcode:
        raise typer.Exit(CHANGES_EXIT_CODE)


def apply(
    source: Source,
    *,
    prune: Prune = False,
    allow_breaking: Annotated[
        bool, typer.Option("--allow-breaking", help="Make changes of schemas that break something, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = "",
) -> None:
    """Make the API have what the files say. Shows the plan and asks first; stops at the first failure."""
    declared = load(source)
    with open_client(url) as client:
        found = make_plan(client, declared, prune=prune)
        _print(found, as_json_text=False)
        if not found.changes:
            return
        if not yes and not typer.confirm("Apply?", default=False, err=True):
            say("nothing was changed")
            raise typer.Exit(1)
        done = apply_plan(
            client,
            declared,
            found,
            prune=prune,
            allow_breaking=allow_breaking,
            tell=lambda change: print(f"done: {change.action} {change.title}", flush=True),
        )
    print(f"Applied: {done} changes.")


def export(
    directory: Annotated[
        Path | None, typer.Option("-f", "--file", help="A directory to write to. Default: standard output.")
    ] = None,
    *,
    pipeline: Annotated[
        list[str] | None, typer.Option("--pipeline", help="Only this pipeline. May be repeated.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    url: Url = "",
) -> None:
    """Write what the API has as files that declare just that."""
    with open_client(url) as client:
        found = documents(client, pipeline or ())
    if directory is None:
        sys.stdout.write("---\n".join(text_of(item) for item in found))
        return
    changed = write(found, directory, overwrite=overwrite)
    say(f"{len(found)} files, {changed} of them new or changed, in {directory}")


def _print(found: Plan, as_json_text: bool) -> None:
    if as_json_text:
        print(json.dumps(as_json(found), indent=1, ensure_ascii=False))
        return
    for line in lines_of(found):
        print(line)
