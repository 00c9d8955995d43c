"""`sentinel lists`: reference tables that rules read, through the API."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sentinel.cli.output import print_table, say
from sentinel.client import Client
from sentinel.client.lists import ListChange, ListRow
from sentinel.errors import InvalidError, NotFoundError
from sentinel.settings import Settings

app = typer.Typer(help="Lists (reference tables) that rules read in subqueries.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What rules call the list.")]


@app.command("upload")
def upload(  # noqa: PLR0917 - options of a command
    name: Name,
    file: Annotated[Path, typer.Argument(help="CSV with a heading; `-` reads standard input.")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="For a new list: name:type of each column, in order; may be repeated."),
    ] = None,
    key: Annotated[str, typer.Option(help="For a new list: the column that is unique and not null.")] = "",
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    if_version: Annotated[int | None, typer.Option(min=1, help="Refuse if the list is at another version.")] = None,
) -> None:
    """Make a CSV file all rows of a list. A broken file changes nothing; each mistake is shown with its line."""
    body = _read(file)
    with _client() as client:
        if column or key:
            columns = [_column(text) for text in column or []]
            if not columns or not key:
                raise InvalidError("a new list needs --column for each of its columns, and --key")
            if name not in {known.name for known in client.list_lists()}:
                client.create_list(name, columns, key)
        try:
            change = client.upload_list(name, body, comment=comment, if_version=if_version)
        except NotFoundError as error:
            raise NotFoundError(
                f"{error.message}; make it with --column user_id:string (for each column) and --key user_id"
            ) from error
        except InvalidError as error:
            for detail in error.details:
                say(detail.detail)
            raise
    print(_told(change))


@app.command("set")
def set_row(
    name: Name,
    values: Annotated[list[str], typer.Argument(help="column=value of each column; expires_at=... besides.")],
    comment: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Add a row, in place of the one with the same key."""
    row: dict[str, Any] = {}
    for text in values:
        column, found, value = text.partition("=")
        if not found:
            raise InvalidError(f"{text!r} is not column=value")
        row[column] = value if value else None
    with _client() as client:
        print(_told(client.edit_list(name, upsert=[row], comment=comment)))


@app.command("delete")
def delete_row(
    name: Name,
    keys: Annotated[list[str], typer.Argument(help="Keys of the rows.")],
    comment: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Delete rows by key."""
    with _client() as client:
        print(_told(client.edit_list(name, delete=keys, comment=comment)))


@app.command("show")
def show(
    name: Annotated[str | None, typer.Argument(help="One list with its versions; default: all lists.")] = None,
) -> None:
    """Show all lists, or one with its versions and readers."""
    with _client() as client:
        if name is None:
            print_table(
                ("name", "key", "version", "rows", "bytes", "changed"),
                [
                    (
                        found.name,
                        found.key,
                        str(found.version),
                        f"{found.row_count:,}",
                        f"{found.size_bytes:,}",
                        _shown(found.updated_at),
                    )
                    for found in client.list_lists()
                ],
                right=frozenset({2, 3, 4}),
            )
            return
        found = client.get_list(name)
        versions = client.list_list_versions(name)
    columns = ", ".join(
        f"{column.name} {column.type}{'' if column.nullable else ' not null'}" for column in found.columns
    )
    print(f"{found.name} ({columns}), key {found.key}")
    readers = ", ".join(f"rule {reader.rule_id} of pipeline {reader.pipeline_id}" for reader in found.read_by)
    print(f"read by {readers or 'no active rule'}\n")
    print_table(
        ("version", "made", "by", "cause", "rows", "added", "changed", "removed", "comment"),
        [
            (
                str(version.version),
                _shown(version.created_at),
                version.created_by,
                version.cause,
                f"{version.row_count:,}",
                f"{version.added_count:,}",
                f"{version.changed_count:,}",
                f"{version.removed_count:,}",
                version.comment,
            )
            for version in versions
        ],
        right=frozenset({0, 4, 5, 6, 7}),
    )


@app.command("rows")
def rows(
    name: Name,
    version: Annotated[int | None, typer.Option(min=1, help="An earlier version.")] = None,
    key: Annotated[str | None, typer.Option(help="Only the row of this key.")] = None,
) -> None:
    """Write the rows of a version as CSV, as an upload takes them."""
    with _client() as client:
        names = [column.name for column in client.get_list(name).columns]
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([*names, "expires_at"])
        for row in client.iterate_list_rows(name, version=version, key=key):
            expires_at = row.expires_at.isoformat() if row.expires_at else ""
            writer.writerow([*(_cell(row.values[column]) for column in names), expires_at])


@app.command("diff")
def diff(
    name: Name,
    before: Annotated[int, typer.Argument(min=1, help="The earlier version.")],
    after: Annotated[int | None, typer.Argument(min=1, help="The later one; default: the newest.")] = None,
) -> None:
    """Show what became of each key between two versions: + added, - removed, ~ changed."""
    with _client() as client:
        for change in client.iterate_list_diff(name, before, after):
            mark = {"added": "+", "removed": "-", "changed": "~"}[change.change]
            told = " -> ".join(_row(row) for row in (change.before, change.after) if row is not None)
            print(f"{mark} {change.key}: {told}")


@contextmanager
def _client() -> Iterator[Client]:
    with Client.of(Settings.load()) as client:
        yield client


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidError(f"{file} cannot be read: {error.strerror}") from error


def _column(text: str) -> dict[str, str]:
    name, found, kind = text.partition(":")
    if not found:
        raise InvalidError(f"{text!r} is not name:type, such as user_id:string")
    return {"name": name, "type": kind}


def _told(change: ListChange) -> str:
    if not change.changed:
        return f"{change.name}: the rows were these already (version {change.version})"
    taken = ", ".join(map(str, change.pipelines))
    expired = f", {change.expired_count:,} left out as expired" if change.expired_count else ""
    return (
        f"{change.name} version {change.version}: {change.added_count:,} added, {change.changed_count:,} changed, "
        f"{change.removed_count:,} removed{expired}; {change.row_count:,} rows"
        + (f"; pipelines that take it: {taken}" if taken else "")
    )


def _row(row: ListRow) -> str:
    values = ", ".join(f"{name}={_cell(value)}" for name, value in row.values.items())
    return values + (f" until {row.expires_at.isoformat()}" if row.expires_at else "")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
