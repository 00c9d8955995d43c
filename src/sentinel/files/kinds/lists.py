"""Lists (reference tables) that rules read. They belong to the tenant, not to a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from sentinel.catalog.list_upload import UploadReader
from sentinel.client.lists import ReferenceList
from sentinel.clock import utc_now
from sentinel.domain.reference_list import EXPIRES_AT, MAX_BYTES, ListDefinition, ListRow
from sentinel.errors import ErrorDetail, InvalidError
from sentinel.files.kinds.base import (
    Change,
    Comparison,
    Declarations,
    Declared,
    Difference,
    Kind,
    Spec,
    Written,
)
from sentinel.files.remote import Remote

MOST_ROWS_EXPORTED = 1_000

Rows = dict[str, ListRow]


class ColumnSpec(Spec):
    """One column."""

    name: str
    type: str
    nullable: bool | None = None


class ListSpec(Spec):
    """A list in a file.

    Attributes:
        rows: Its rows; without them and without `rows_file`, rows are not the files' business.
        rows_file: A CSV file with a heading, beside the YAML file or below its directory.
    """

    kind: Literal["list"]
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    key: str
    columns: list[ColumnSpec] = Field(min_length=1)
    description: str = ""
    rows: list[dict[str, Any]] | None = None
    rows_file: str | None = None

    @model_validator(mode="after")
    def _rows_once(self) -> ListSpec:
        if self.rows is not None and self.rows_file is not None:
            raise ValueError("give either rows or rows_file")
        if self.key not in {column.name for column in self.columns}:
            raise ValueError(f"the key {self.key!r} is no column")
        return self

    @property
    def shape(self) -> list[dict[str, Any]]:
        """The columns as the API has them; the key is never null."""
        return [
            {
                "name": column.name,
                "type": column.type,
                "nullable": column.nullable if column.nullable is not None else column.name != self.key,
            }
            for column in self.columns
        ]


class ListKind(Kind):
    """Lists. One that no file declares is left alone, as it may belong to pipelines that the files are not about."""

    name: ClassVar[str] = "list"
    model: ClassVar[type[Spec]] = ListSpec

    def key(self, spec: ListSpec) -> tuple[str, ...]:
        """Return its name."""
        return (spec.name,)

    def compare(self, declared: Declarations, remote: Remote, *, prune: bool) -> Comparison:
        """Compare shapes, which are fixed, and rows where the files have them."""
        found = Comparison()
        wanted = declared.get(self.name, {})
        if not wanted:
            return found
        there = {item.name: item for item in remote.client.list_lists()}
        for key, item in wanted.items():
            actual = there.get(key[0])
            found.problems += _fixed(item, actual) if actual else []
            try:
                rows = _declared_rows(item)
            except InvalidError as error:
                found.problems += [
                    ErrorDetail(item.document.where(_place(detail)), f"list {key[0]}: {detail.detail}")
                    for detail in error.details
                ] or [ErrorDetail(item.document.where(("rows_file",)), error.message)]
                continue
            if actual is None:
                found.changes.append(_addition(item, rows))
            elif rows is not None and (differences := _row_differences(_actual_rows(remote, item, actual), rows)):
                found.changes.append(
                    Change("change", self.name, key, differences, item.where, declared=item, actual=actual)
                )
        found.extra = [(name,) for name in sorted(there) if (name,) not in wanted]
        return found

    def apply(self, change: Change, remote: Remote) -> None:
        """Create a list with its rows, or write the next version of its rows."""
        if change.declared is None:
            return
        spec: ListSpec = change.declared.spec
        client = remote.client
        version = None
        if change.action == "add":
            made = client.create_list(spec.name, spec.shape, spec.key, description=spec.description)
            version = made.version
        else:
            actual: ReferenceList = change.actual
            version = actual.version
        if spec.rows_file is not None:
            client.upload_list(spec.name, _csv_of(change.declared), comment="as its file says", if_version=version)
        elif spec.rows:
            client.replace_list_rows(spec.name, _json_rows(spec.rows), comment="as its file says", if_version=version)
        elif spec.rows is not None and change.action == "change":
            client.replace_list_rows(spec.name, [], comment="as its file says", if_version=version)

    def written(self, remote: Remote, slugs: Mapping[str, str], wanted: Sequence[str]) -> list[Written]:
        """Return a document per list. The rows of a long one are left out: they are data rather than configuration."""
        return [Written(f"lists/{found.name}.yaml", _document(remote, found)) for found in remote.client.list_lists()]


def _fixed(item: Declared, actual: ReferenceList) -> list[ErrorDetail]:
    spec: ListSpec = item.spec
    shape = [column.model_dump() for column in actual.columns]
    pairs = (
        ("columns", shape, spec.shape),
        ("key", actual.key, spec.key),
        ("description", actual.description, spec.description.rstrip("\n")),
    )
    return [
        ErrorDetail(
            item.document.where((name,)),
            f"{name} of list {spec.name!r} is {before!r} and cannot become {after!r}; make a list of another name",
        )
        for name, before, after in pairs
        if before != after
    ]


def _addition(item: Declared, rows: Rows | None) -> Change:
    spec: ListSpec = item.spec
    values = {
        "key": spec.key,
        **{f"columns.{column['name']}": column["type"] for column in spec.shape},
        "description": spec.description or None,
        "rows": None if rows is None else f"{len(rows):,}",
    }
    differences = tuple(Difference(name, None, value) for name, value in values.items() if value is not None)
    return Change("add", ListKind.name, item.key, differences, item.where, declared=item)


def _row_differences(before: Rows, after: Rows) -> tuple[Difference, ...]:
    added, removed = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    changed = sorted(key for key in before.keys() & after.keys() if before[key] != after[key])
    return tuple(
        Difference(f"rows {what}", None, _counted(keys))
        for what, keys in (("added", added), ("changed", changed), ("removed", removed))
        if keys
    )


def _counted(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:5])
    return f"{len(keys):,} ({shown}{', ...' if len(keys) > 5 else ''})"


def _definition(spec: ListSpec) -> ListDefinition:
    try:
        return ListDefinition.of(spec.name, spec.shape, spec.key)
    except ValueError as error:
        raise InvalidError(str(error), details=[ErrorDetail("columns", str(error))]) from error


def _declared_rows(item: Declared) -> Rows | None:
    spec: ListSpec = item.spec
    reader = UploadReader(_definition(spec), utc_now())
    if spec.rows_file is not None:
        return _by_key(reader.read_csv(_csv_of(item)))
    return None if spec.rows is None else _by_key(reader.read_json(_json_rows(spec.rows), "rows"))


def _json_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as JSON has them: dates and timestamps that YAML recognized are texts again."""
    return [
        {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in rows
    ]


def _actual_rows(remote: Remote, item: Declared, actual: ReferenceList) -> Rows:
    reader = UploadReader(_definition(item.spec), utc_now())
    rows = [
        {**row.values, EXPIRES_AT: row.expires_at.isoformat() if row.expires_at else None}
        for row in remote.client.iterate_list_rows(actual.name, version=actual.version)
    ]
    return _by_key(reader.read_json(rows))


def _by_key(rows: Iterable[ListRow]) -> Rows:
    return {row.key: row for row in rows}


def _csv_of(item: Declared) -> bytes:
    beside = Path(item.document.path).parent
    name = str(item.spec.rows_file)
    path = beside / name
    if not path.resolve().is_relative_to(beside.resolve()):
        raise InvalidError(f"{name!r} leads out of the directory of its file")
    try:
        with path.open("rb") as opened:
            body = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidError(f"{path}: cannot be read: {error.strerror}") from error
    if len(body) > MAX_BYTES:
        raise InvalidError(f"{path}: the file is larger than {MAX_BYTES:,} bytes")
    return body


def _place(detail: ErrorDetail) -> tuple[str | int, ...]:
    """Return the place in the document that a mistake of an upload is about."""
    parts = detail.pointer.strip("/").split("/")
    if parts[0] != "rows":
        return (parts[0] if parts[0] == "columns" else "rows_file",)
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _document(remote: Remote, found: ReferenceList) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": "list",
        "name": found.name,
        "key": found.key,
        "columns": [column.model_dump() for column in found.columns],
    }
    if found.description:
        document["description"] = found.description
    if found.row_count <= MOST_ROWS_EXPORTED:
        document["rows"] = [
            {**row.values, **({EXPIRES_AT: row.expires_at.isoformat()} if row.expires_at else {})}
            for row in remote.client.iterate_list_rows(found.name, version=found.version)
        ]
    return document
