"""Use cases on lists: define, upload, edit, read, compare versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sentinel.catalog.audit import Auditor
from sentinel.catalog.list_upload import UploadReader
from sentinel.catalog.publishing import Publisher
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.event_schema import FIELD_NAME, ArrayType, Field, StructType, parse_type
from sentinel.domain.reference_list import (
    EXPIRES_AT,
    KEY_TYPES,
    LIST_NAME,
    MAX_BYTES,
    MAX_COLUMNS,
    MAX_ROWS,
    ListDefinition,
    ListRow,
    ListVersion,
    ReferenceList,
    RowChange,
    RowCounts,
    is_key_type,
)
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.base import PipelineStore
from sentinel.stores.beside_rules import ListStore

MAX_LISTS = 200
_RESERVED_NAMES = frozenset({"event", "select", "where", "from", "values", "table"})


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """One column as it was sent; the key is never nullable."""

    name: str
    type: str
    nullable: bool | None = None


@dataclass(frozen=True, slots=True)
class ListChange:
    """The outcome of an upload or edit.

    Attributes:
        changed: False: the rows were these already, and there is no new version.
        counts: Rows added, changed and removed.
        expired: Rows of the upload that were left out because their time is over.
        pipelines: Pipelines whose running job takes the new version.
    """

    list: ReferenceList
    changed: bool
    counts: RowCounts
    expired: int
    pipelines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListPreview:
    """What an upload would come to.

    Attributes:
        list: As it is.
        row_count: Rows that it would have then.
        counts: Rows that would be added, changed and removed.
        expired: Rows of the upload that would be left out because their time is over.
        changes: The first of them, in the order of their keys.
        pipelines: Pipelines whose running job would take the new version.
    """

    list: ReferenceList
    row_count: int
    counts: RowCounts
    expired: int
    changes: Sequence[RowChange]
    pipelines: tuple[int, ...]


class ListCatalog:
    """Lists of one tenant. A new version writes the next rule set of every pipeline whose rules read the list."""

    def __init__(
        self,
        lists: ListStore,
        pipelines: PipelineStore,
        publisher: Publisher,
        auditor: Auditor,
        *,
        caller: str,
        now: datetime,
    ) -> None:
        self._lists = lists
        self._pipelines = pipelines
        self._publisher = publisher
        self._auditor = auditor
        self._caller = caller
        self._now = now

    def list(self) -> list[ReferenceList]:
        """Return all lists, by name."""
        return self._lists.list()

    def get(self, name: str) -> ReferenceList:
        """Return a list.

        Raises:
            NotFoundError: There is no such list.
        """
        found = self._lists.get(name)
        if found is None:
            raise NotFoundError(f"there is no list {name[:128]!r}")
        return found

    def versions(self, name: str) -> Sequence[ListVersion]:
        """Return all versions of a list, newest first.

        Raises:
            NotFoundError: There is no such list.
        """
        return self._lists.versions(self.get(name).id)

    def readers(self, name: str) -> Sequence[tuple[int, int]]:
        """Return (pipeline, rule) of every rule in force that reads a list, itself or through rules it refers to."""
        return self._lists.readers(name)

    def rows(
        self, name: str, *, version: int | None, after: str | None, key: str | None, limit: int
    ) -> tuple[ReferenceList, Sequence[ListRow]]:
        """Return rows of a version (None: the current one) in the order of their keys, from after a key on.

        Raises:
            NotFoundError: There is no such list or version.
        """
        found = self.get(name)
        chosen = _existing(found, version if version is not None else found.version)
        return found, self._lists.rows(found.id, chosen, after=after, key=key, limit=limit)

    def diff(
        self, name: str, before: int, after: int | None, *, from_key: str | None, limit: int
    ) -> tuple[ReferenceList, Sequence[RowChange]]:
        """Return what became of each key from one version to a later one (None: the current one).

        Raises:
            NotFoundError: There is no such list or version.
            InvalidError: The versions are not in order.
        """
        found = self.get(name)
        last = _existing(found, after if after is not None else found.version)
        if _existing(found, before) > last:
            message = f"version {before} is later than version {last}; swap them"
            raise InvalidError(message, details=[ErrorDetail("", message)])
        return found, self._lists.diff(found.id, before, last, from_key=from_key, limit=limit)

    def create(
        self,
        *,
        name: str,
        columns: Sequence[ColumnDefinition],
        key: str,
        description: str,
        rows: Sequence[Mapping[str, Any]] = (),
        comment: str = "",
    ) -> ListChange:
        """Create a list, with its first rows.

        Raises:
            InvalidError: The definition or a row cannot work; everything wrong is listed.
            ConflictError: The name is taken, or there are as many lists as one may have.
        """
        definition, problems = read_definition(name, columns, key)
        if problems:
            raise InvalidError("; ".join(problem.detail for problem in problems[:3]), details=problems)
        if len(self._lists.definitions()) >= MAX_LISTS:
            raise ConflictError(f"there are {MAX_LISTS} lists, as many as one may have; delete one that no rule reads")
        reader = UploadReader(definition, self._now)
        list_id = self._lists.add(definition, description)
        if list_id is None:
            raise ConflictError(f"there is a list {name!r} already; upload its rows, or choose another name")
        self._lists.stage(reader.read_json(rows))
        counts = self._lists.replace_rows(list_id, 1)
        self._lists.add_version(list_id, 1, counts, cause="created", comment=comment, created_by=self._caller)
        created = self.get(name)
        self._record("list.add", created, counts, comment)
        return ListChange(created, True, counts, reader.expired, ())

    def upload_csv(self, name: str, body: bytes, *, expected_version: int | None, comment: str = "") -> ListChange:
        """Make a CSV text all rows of a list.

        Raises:
            NotFoundError: There is no such list.
            VersionMismatchError: It is no longer at the expected version.
            InvalidError: The upload is broken; line, column and value are named, and nothing is changed.
        """
        found = self.get(name)
        reader = UploadReader(found.definition, self._now)
        return self._upload(found, reader, reader.read_csv(body), expected_version, comment)

    def preview_csv(self, name: str, body: bytes, *, limit: int) -> ListPreview:
        """Say what an upload would change, and change nothing.

        Args:
            limit: Changes that are shown.

        Raises:
            NotFoundError: There is no such list.
            InvalidError: The upload is broken; line, column and value are named.
        """
        found = self.get(name)
        reader = UploadReader(found.definition, self._now)
        self._lists.stage(reader.read_csv(body))
        row_count, counts, changes = self._lists.compare_staged(found.id, limit=limit)
        pipelines = () if counts.is_empty else tuple(self._lists.pipelines(name))
        return ListPreview(found, row_count, counts, reader.expired, changes, pipelines)

    def upload_rows(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, expected_version: int | None, comment: str = ""
    ) -> ListChange:
        """Make these all rows of a list.

        Raises:
            NotFoundError: There is no such list.
            VersionMismatchError: It is no longer at the expected version.
            InvalidError: A row is broken; row, column and value are named, and nothing is changed.
        """
        found = self.get(name)
        reader = UploadReader(found.definition, self._now)
        return self._upload(found, reader, reader.read_json(rows), expected_version, comment)

    def edit(
        self,
        name: str,
        *,
        upsert: Sequence[Mapping[str, Any]],
        delete: Sequence[object],
        expected_version: int | None,
        comment: str = "",
    ) -> ListChange:
        """Add rows, in place of those with the same keys, and delete rows by key.

        Raises:
            NotFoundError: There is no such list, or no row of a key to delete.
            VersionMismatchError: It is no longer at the expected version.
            InvalidError: A row is broken, or a key is both written and deleted, and nothing is changed.
        """
        found = self.get(name)
        reader = UploadReader(found.definition, self._now)
        refuse_other_version(f"the list {name}", found.version, expected_version)
        rows = list(reader.read_json(upsert, "/upsert"))
        keys = UploadReader(found.definition, self._now).keys(delete, "/delete")
        both = {row.key for row in rows} & set(keys)
        if both:
            message = f"the key {min(both)!r} is to be written and to be deleted; leave out one of them"
            raise InvalidError(message, details=[ErrorDetail("/delete", message)])
        self._lists.stage(rows)
        version = self._locked(found, expected_version) + 1
        for number, key in enumerate(keys):
            if not self._lists.rows(found.id, version - 1, after=None, key=key, limit=1):
                message = f"{name} has no row of key {key!r}"
                raise NotFoundError(message, details=[ErrorDetail(f"/delete/{number}", message)])
        counts = self._lists.edit_rows(found.id, version, keys, self._now)
        return self._written(found, version, counts, expired=reader.expired, cause="edit", comment=comment)

    def delete(self, name: str, *, expected_version: int | None) -> None:
        """Delete a list that no rule ever read.

        Raises:
            NotFoundError: There is no such list.
            VersionMismatchError: It is no longer at the expected version.
            ConflictError: A rule reads it, or an earlier version of one did.
        """
        found = self.get(name)
        self._locked(found, expected_version)
        if self._lists.is_named_by_rules(name):
            raise ConflictError(
                f"rules read {name}, or did in an earlier version, and their alerts are proven by its rows; to have it "
                "match nothing, upload it without rows"
            )
        self._lists.delete(found.id)
        self._auditor.record(
            "list.delete",
            "list",
            found.id,
            pipeline_id=None,
            object_name=name,
            before={"version": found.version, "row_count": found.row_count},
        )

    def _upload(
        self,
        found: ReferenceList,
        reader: UploadReader,
        rows: Iterator[ListRow],
        expected_version: int | None,
        comment: str,
    ) -> ListChange:
        # Told before the rows are read, and once more when the list is locked.
        refuse_other_version(f"the list {found.definition.name}", found.version, expected_version)
        self._lists.stage(rows)
        version = self._locked(found, expected_version) + 1
        counts = self._lists.replace_rows(found.id, version)
        return self._written(found, version, counts, expired=reader.expired, cause="upload", comment=comment)

    def _locked(self, found: ReferenceList, expected_version: int | None) -> int:
        version = self._lists.lock(found.id)
        refuse_other_version(f"the list {found.definition.name}", version, expected_version)
        return version

    def _written(
        self, found: ReferenceList, version: int, counts: RowCounts, *, expired: int, cause: str, comment: str
    ) -> ListChange:
        name = found.definition.name
        if counts.is_empty:
            return ListChange(self.get(name), False, counts, expired, ())
        self._lists.add_version(found.id, version, counts, cause=cause, comment=comment, created_by=self._caller)
        after = self.get(name)
        if after.row_count > MAX_ROWS or after.size_bytes > MAX_BYTES:
            raise InvalidError(
                f"the list would have {after.row_count} rows and {after.size_bytes} bytes; at most {MAX_ROWS} rows and "
                f"{MAX_BYTES} bytes are possible, and nothing was changed"
            )
        self._record(f"list.{cause}", after, counts, comment)
        return ListChange(after, True, counts, expired, self._publish(name))

    def _record(self, action: str, after: ReferenceList, counts: RowCounts, comment: str) -> None:
        """Say which version somebody wrote; what became of each row is the version's diff."""
        self._auditor.record(
            action,
            "list",
            after.id,
            pipeline_id=None,
            object_name=after.definition.name,
            after={"version": after.version, "row_count": after.row_count, **asdict(counts)},
            comment=comment,
        )

    def _publish(self, name: str) -> tuple[int, ...]:
        """Write the next rule set of every pipeline whose rule set reads a list; they are locked since the list is."""
        readers = tuple(self._lists.pipelines(name))
        for pipeline in map(self._pipelines.get, readers):
            if pipeline is not None:
                self._publisher.publish(pipeline)
        return readers


def read_definition(
    name: str, columns: Sequence[ColumnDefinition], key: str
) -> tuple[ListDefinition, list[ErrorDetail]]:
    """Return the definition of a list and every problem with it. It is only meaningful when there are none."""
    problems: list[ErrorDetail] = []
    if not LIST_NAME.fullmatch(name):
        message = f"{name[:100]!r} is not a name of a list: up to 63 lower-case letters, digits and _, from a letter on"
        problems.append(ErrorDetail("/name", message))
    elif name in _RESERVED_NAMES:
        problems.append(ErrorDetail("/name", f"{name!r} means something else in a rule; use another name"))
    if not columns or len(columns) > MAX_COLUMNS:
        problems.append(ErrorDetail("/columns", f"a list has 1 to {MAX_COLUMNS} columns, not {len(columns)}"))
    fields: list[Field] = []
    for index, column in enumerate(columns):
        at = f"/columns/{index}"
        if not FIELD_NAME.fullmatch(column.name):
            message = (
                f"{column.name[:100]!r} is not a name of a column: ASCII letters, digits and _, beginning with a letter"
            )
            problems.append(ErrorDetail(f"{at}/name", message))
        elif column.name.lower() in ("event", EXPIRES_AT):
            problems.append(ErrorDetail(f"{at}/name", f"{column.name!r} is reserved; use another name"))
        elif column.name.lower() in {field.name.lower() for field in fields}:
            problems.append(ErrorDetail(f"{at}/name", f"the column {column.name!r} is there already (case aside)"))
        try:
            kind = parse_type(column.type)
        except ValueError as error:
            problems.append(ErrorDetail(f"{at}/type", str(error)))
            continue
        if isinstance(kind, ArrayType | StructType):
            problems.append(ErrorDetail(f"{at}/type", f"a column holds single values, not {kind}"))
            continue
        nullable = column.name != key if column.nullable is None else column.nullable
        fields.append(Field(column.name, kind, nullable))
        if column.name == key and nullable:
            problems.append(ErrorDetail(f"{at}/nullable", f"the key {key!r} cannot be nullable"))
        if column.name == key and not is_key_type(kind):
            message = f"the key must be of type {', '.join(KEY_TYPES)}, not {kind}"
            problems.append(ErrorDetail(f"{at}/type", message))
    if not problems and key not in {field.name for field in fields}:
        problems.append(ErrorDetail("/key", f"{key[:100]!r} is none of the columns"))
    return ListDefinition(name, tuple(fields), key), problems


def _existing(found: ReferenceList, version: int) -> int:
    if not 1 <= version <= found.version:
        raise NotFoundError(f"{found.definition.name} has no version {version}; its newest is {found.version}")
    return version
